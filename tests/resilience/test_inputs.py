"""No input gives a fault: commands and requests in any order, with any content."""

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from index.events import OUTCOMES
from tests.conftest import ARTIFACTS, HashingEncoder, to_jsonl
from tests.resilience.conftest import SHARED_MEMORY
from tests.resilience.processes import command
from tests.resilience.texts import keys, needs
from tests.resilience.work import changed
from web.app import create_app
from web.current import CurrentEngine
from web.settings import Settings, open_history

slugs = st.sampled_from([each["slug"] for each in ARTIFACTS]) | st.text(max_size=20)
dates = st.dates().map(str) | st.text(max_size=12)


class Home(RuleBasedStateMachine):
    """A home that is served while commands change it."""

    def __init__(self) -> None:
        """Build the first generation, and serve it."""
        super().__init__()
        inside = SHARED_MEMORY if SHARED_MEMORY.is_dir() else None
        self.folder = Path(tempfile.mkdtemp(dir=inside, prefix="instead-"))
        self.home = self.folder / "home"
        self.built = 0
        self.matches = ["none"]
        self.run("build", "--catalog", str(self.catalogue(changed(0))))
        chosen = Settings(self.home, None, lambda setting: HashingEncoder())
        self.history = open_history(chosen)
        self.engine = CurrentEngine(chosen, self.history, look_every_s=0)
        self.client = create_app(self.engine, self.history, chosen).test_client()

    def teardown(self) -> None:
        """End, and throw the home away."""
        self.engine().generation.close()
        self.history.close()
        shutil.rmtree(self.folder)

    def catalogue(self, artifacts: Any) -> Path:
        """Write a catalogue file."""
        return to_jsonl(artifacts, self.folder / "catalog.jsonl")

    def run(self, *words: str) -> int:
        """Run a command; it ends well, or in an error that says what is wrong."""
        result = command(self.home, *words)
        assert result.exit in (0, 1, 2), result
        assert "a fault of its own" not in result.errors, result.errors
        assert "Traceback" not in result.errors
        return result.exit

    def ask(self, path: str, **given: Any) -> Any:
        """Send a request; it is answered, or refused with a reason."""
        method = self.client.post if "json" in given else self.client.get
        answer = method(path, **given)
        assert answer.status_code < 500, answer.get_data(as_text=True)
        if path.startswith("/api") and answer.status_code >= 400:
            assert answer.content_type == "application/problem+json"
            assert answer.json and answer.json["detail"]
        return answer

    @rule(number=st.integers(1, 3))
    def build(self, number: int) -> None:
        path = self.catalogue(changed(number)[: 1 + number])
        assert self.run("build", "--catalog", str(path)) == 0

    @rule(content=st.binary(max_size=100))
    def build_what_is_no_catalogue(self, content: bytes) -> None:
        path = self.folder / "none.jsonl"
        path.write_bytes(content)
        assert self.run("build", "--catalog", str(path)) == 2

    @rule(id_=st.none() | st.sampled_from(["000001", "000002"]) | st.text(max_size=8))
    def rollback(self, id_: str | None) -> None:
        plain = [] if id_ is None or id_.startswith("-") else [id_]
        self.run("rollback", *plain)

    @rule(
        text=needs,
        modes=st.dictionaries(keys, st.sampled_from(["must", "off"])),
        limit=st.integers(-1, 60) | st.text(max_size=3),
        explain=st.booleans(),
    )
    def search(
        self, text: str, modes: dict[str, str], limit: object, *, explain: bool
    ) -> None:
        plain = text.encode(errors="replace").decode()
        query: dict[str, Any] = {"q": plain, "limit": limit, "explain": int(explain)}
        for key, mode in modes.items():
            query.setdefault(mode, []).append(key.encode(errors="replace").decode())
        query["limit"] = str(limit).encode(errors="replace").decode()
        answer = self.ask("/api/v1/search", query_string=query)
        if answer.status_code == 200:
            self.matches.append(answer.json["matchId"])
        self.ask("/search", query_string={"q": plain})
        self.ask("/api/v1/suggest", query_string={"q": plain})

    @rule(intent=needs, limit=st.integers(-1, 30) | st.none())
    def resolve(self, intent: str, limit: int | None) -> None:
        self.ask("/api/v1/resolve", json={"intent": intent, "limit": limit})

    @rule(data=st.data(), slug=slugs, outcome=st.sampled_from([*OUTCOMES, "x"]),
          comment=st.none() | st.text(max_size=600))  # fmt: skip
    def feedback(
        self, data: st.DataObject, slug: str, outcome: str, comment: str | None
    ) -> None:
        match = data.draw(st.sampled_from(self.matches) | st.text(max_size=70))
        told = {"matchId": match, "slug": slug, "outcome": outcome, "comment": comment}
        self.ask("/api/v1/feedback", json=told)

    @rule(a=slugs, b=slugs, text=needs)
    def compare(self, a: str, b: str, text: str) -> None:
        a, b, text = (each.encode(errors="replace").decode() for each in (a, b, text))
        self.ask("/api/v1/compare", query_string={"a": a, "b": b, "q": text})
        self.ask(
            f"/artifact/{quote(a, safe='')}/alternatives", query_string={"q": text}
        )

    @rule(lines=st.lists(st.fixed_dictionaries(
        {"need": needs, "artifact": slugs, "outcome": st.sampled_from(OUTCOMES)},
        optional={"at": st.datetimes().map(lambda at: f"{at.isoformat()}Z"),
                  "match": st.text(max_size=70)}), max_size=5))  # fmt: skip
    def import_events(self, lines: list[dict[str, str]]) -> None:
        path = self.folder / "past.jsonl"
        path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
        self.run("events", "import", str(path))

    @rule(before=dates)
    def forget(self, before: str) -> None:
        self.run("events", "forget", f"--before={before}")

    @rule(name=st.sampled_from(["stats", "export"]))
    def look(self, name: str) -> None:
        out = [str(self.folder / "out.jsonl")] if name == "export" else []
        assert self.run("events", name, *out) == 0
        for path in ("/graph", "/metrics", "/api/v1/stats", "/api/v1/artifacts"):
            assert self.ask(path).status_code == 200


@pytest.mark.parametrize(
    ("homes", "steps"),
    [(6, 40), pytest.param(1000, 200, marks=pytest.mark.nightly)],
)
def test_no_order_of_commands_and_requests_is_a_fault(homes: int, steps: int) -> None:
    run_state_machine_as_test(
        Home,
        settings=settings(
            max_examples=homes,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            suppress_health_check=[*HealthCheck],
        ),
    )
