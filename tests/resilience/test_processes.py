"""Several processes on one home: nothing is mixed, lost or damaged."""

import json
from contextlib import closing
from pathlib import Path

import pytest

from index.errors import MismatchError, NoGenerationError
from index.events import EventLog
from index.generation import FORMAT, MANIFEST, Manifest, verify
from index.home import KEPT, Home
from search.history import History
from tests.conftest import HashingEncoder
from tests.resilience.processes import all_at_once, begun, command
from tests.resilience.work import (
    add_keys,
    answer_and_tell,
    build_changed,
    changed_catalog,
)
from web.current import CurrentEngine
from web.keys import Keys
from web.settings import Settings


def test_builds_in_several_processes_follow_each_other(scratch: Path) -> None:
    home = Home(scratch)
    ids = all_at_once([(build_changed, scratch, number) for number in range(5)])
    assert sorted(ids) == [f"{number:06d}" for number in range(1, 6)]
    assert home.ids() == sorted(ids)[-KEPT:]
    assert home.current() == max(ids)
    built = {id_: number for number, id_ in enumerate(ids)}
    for id_ in home.ids():
        assert verify(home.folder(id_)).catalog == changed_catalog(built[id_]).digest


def test_a_server_follows_the_builds_and_rollbacks_of_others(scratch: Path) -> None:
    build_changed(scratch, 0)
    settings = Settings(scratch, None, lambda setting: HashingEncoder())
    current = CurrentEngine(settings, look_every_s=0)
    seen = []
    for number in range(1, 6):
        with begun(build_changed, scratch, number) as builder:
            while builder.is_alive():
                engine = current()
                held = engine.generation.manifest
                description = engine.catalog["kosmos-2"].capabilities[0].description
                seen.append((held.id, description))
        assert builder is not None
    command(scratch, "rollback")
    for id_, description in seen:
        assert description == f"Version {int(id_) - 1}."
    assert current().generation.id == "000005"
    current().generation.close()


def test_two_servers_write_to_one_log(scratch: Path) -> None:
    build_changed(scratch, 0)
    matches = all_at_once([(answer_and_tell, scratch, 30)] * 2)
    told = [each for own in matches for each in own]
    with closing(EventLog.beside(scratch)) as log:
        events = [each for _, each in log.after()]
    worked = [each.match for each in events if each.outcome == "worked"]
    assert sorted(map(str, worked)) == sorted(told)
    assert len({each.id for each in events}) == len(events)
    assert {each.match for each in events} == {*told}
    with closing(History(EventLog.beside(scratch))) as history:
        assert history.outcomes("kosmos-2").counts["worked"] > 0


def test_one_file_imported_twice_at_once_is_imported_once(scratch: Path) -> None:
    lines = (
        {"need": f"n {n}", "artifact": "a", "outcome": "worked", "id": f"{n}"}
        for n in range(3000)
    )
    path = scratch / "past.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    home = scratch / "home"
    words = ("events", "import", "--json", str(path))
    results = all_at_once([(command, home, *words)] * 3)
    assert not [each.errors for each in results if each.exit]
    assert sum(json.loads(each.output)["new"] for each in results) == 3000


def test_keys_added_at_once_are_all_kept(scratch: Path) -> None:
    made = all_at_once([(add_keys, scratch, prefix, 10) for prefix in "abc"])
    known = Keys(scratch)
    names = [known.name(key) for own in made for key in own]
    assert len(set(names)) == 30


@pytest.mark.parametrize("wrong", ["format", "nothing"])
def test_what_cannot_be_served_says_which_command_to_run(
    scratch: Path, wrong: str
) -> None:
    words = ["show", "kosmos-2"]
    if wrong == "nothing":
        with pytest.raises(NoGenerationError):
            Home(scratch).open()
    else:
        build_changed(scratch, 0)
        older(Home(scratch))
        with pytest.raises(MismatchError, match="instead build"):
            Home(scratch).open()
    result = command(scratch, *words)
    assert result.exit == 1
    (line,) = result.errors.splitlines()
    assert line.startswith("instead: ") and "instead build" in line


def test_a_home_of_an_older_format_is_built_anew(scratch: Path) -> None:
    home = Home(scratch)
    build_changed(scratch, 0)
    older(home)
    assert build_changed(scratch, 1) == "000002"
    with home.open() as generation:
        assert generation.id == "000002"
    result = command(scratch, "rollback")
    assert result.exit == 1
    assert "has format" in result.errors and "instead build" in result.errors
    assert home.current() == "000002"


def older(home: Home) -> None:
    """Make the generation in use one that a version before this one built."""
    id_ = home.current()
    assert id_ is not None
    path = home.folder(id_) / MANIFEST
    content = json.loads(path.read_bytes())
    del content["sha256"]
    content["format"] = FORMAT - 1
    path.write_bytes(Manifest(**content).dump())
