"""A catalogue and an export of the events restore everything that was learned."""

import json
from contextlib import closing
from pathlib import Path

from index.events import EventLog
from tests.conftest import ARTIFACTS, to_jsonl
from tests.resilience.processes import command
from tests.resilience.work import answer_and_tell


def told(home: Path, *words: str) -> object:
    """Return what a command says as JSON, without what differs by the clock."""
    result = command(home, *words, "--json")
    assert result.exit == 0, result.errors
    content = json.loads(result.output)
    for each in ("matchId", "tookMs", "generation"):
        content.pop(each, None)
    return content


def test_a_catalogue_and_an_export_restore_everything(tmp_path: Path) -> None:
    lost, restored = tmp_path / "lost", tmp_path / "restored"
    catalogue = str(to_jsonl(ARTIFACTS, tmp_path / "catalog.jsonl"))
    backup = str(tmp_path / "events.jsonl")
    assert command(lost, "build", "--catalog", catalogue).exit == 0
    answer_and_tell(lost, 20)
    past = tmp_path / "past.jsonl"
    lines = (
        {"need": f"pictures {n}", "artifact": "sketcher", "outcome": outcome,
         "comment": "\u00e9\u202e fine", "source": "a shop"}
        for n, outcome in enumerate(["worked", "failed", "chosen", "dismissed"] * 5)
    )  # fmt: skip
    past.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    assert command(lost, "events", "import", str(past)).exit == 0
    assert command(lost, "events", "export", backup).exit == 0

    assert command(restored, "build", "--catalog", catalogue).exit == 0
    assert command(restored, "events", "import", backup).exit == 0
    asked = (
        ("events", "stats"),
        ("show", "kosmos-2"),
        ("show", "sketcher"),
        ("search", "pictures from text", "--explain"),
        ("search", "grounded captioning", "--explain"),
        ("alternatives", "kosmos-2"),
        ("compare", "kosmos-2", "sketcher"),
    )
    with (
        closing(EventLog.beside(lost)) as old,
        closing(EventLog.beside(restored)) as new,
    ):
        assert [each for _, each in old.after()] == [each for _, each in new.after()]
    for words in asked:
        assert told(lost, *words) == told(restored, *words), words
