"""PostgreSQL as the log is killed, frozen or not there, while clients go on."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest

from index.events import WRITE_S, EventLog
from search.history import LOOK_S
from tests.resilience.postgres import Postgres, running
from tests.resilience.server import Served, served
from tests.resilience.work import build_changed


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    with running() as server:
        yield server


@pytest.fixture
def home(tmp_path: Path) -> Path:
    build_changed(tmp_path / "home", 0)
    return tmp_path / "home"


def settled(server: Served) -> None:
    """Wait until the log is there again, and nothing waits for it."""
    deadline = time.monotonic() + 30
    while server.metric("instead_events_waiting") or not server.metric(
        "instead_log_up"
    ):
        server.get("/api/v1/stats")
        assert time.monotonic() < deadline
        time.sleep(0.1)


class Clients:
    """Callers that search, tell what came of it, and try again what was not taken."""

    def __init__(self, server: Served) -> None:
        self._server = server
        self._over = threading.Event()
        self.shown: dict[str, list[str]] = {}
        self.acknowledged: list[str] = []
        self.refused = 0
        self.slowest = 0.0

    def search(self, caller: int) -> None:
        """Ask one need after the other; none may fail."""
        for number in count():
            if self._over.is_set():
                return
            path = f"/api/v1/search?q=captions+{caller}+{number}&limit=2"
            found = self._server.get(path)
            assert found.status == 200, found.body
            self.slowest = max(self.slowest, found.seconds)
            slugs = [each["artifact"]["slug"] for each in found.json["matches"]]
            self.shown[found.json["matchId"]] = slugs
            self.tell(found.json["matchId"], slugs[0], tries=1 if caller else 0)

    def tell(self, match: str, slug: str, tries: int = 0) -> None:
        """Tell an outcome until it is taken, or some times."""
        told = {"matchId": match, "slug": slug, "outcome": "worked"}
        for number in count(1):
            answer = self._server.get("/api/v1/feedback", body=told)
            if answer.status == 202:
                self.acknowledged.append(answer.json["eventId"])
                return
            assert answer.status == 503, answer.body
            assert int(answer.headers["Retry-After"]) > 0
            assert "event log" in answer.json["detail"]
            self.refused += 1
            if number == tries or self._over.is_set():
                return
            time.sleep(0.1)

    def load(self, faults: Callable[[], None]) -> None:
        """Go on while `faults` happen."""
        with ThreadPoolExecutor(3) as pool:
            callers = [pool.submit(self.search, each) for each in range(3)]
            try:
                faults()
            finally:
                self._over.set()
            for each in callers:
                each.result()


@pytest.mark.parametrize("times", [1, pytest.param(30, marks=pytest.mark.nightly)])
@pytest.mark.parametrize(
    "fault", ["killed", pytest.param("frozen", marks=pytest.mark.nightly)]
)
def test_no_acknowledged_event_is_lost_or_doubled_and_no_search_fails(
    postgres: Postgres, home: Path, fault: str, times: int
) -> None:
    harm, mend = {
        "killed": (postgres.kill, postgres.start),
        "frozen": (postgres.freeze, postgres.thaw),
    }[fault]
    with served(home, INSTEAD_EVENTS=postgres.url) as server:
        clients = Clients(server)

        def faults() -> None:
            for _ in range(times):
                time.sleep(1)
                harm()
                time.sleep(1 if fault == "killed" else 4)
                mend()
                settled(server)

        clients.load(faults)
        settled(server)
        assert server.metric("instead_events_dropped_total") == 0
        worked = server.get("/api/v1/stats").json["outcomes"]["worked"]
    with closing(EventLog(postgres.url)) as log:
        events = [each for _, each in log.after()]
    told = [each for each in events if each.outcome == "worked"]
    assert {each.id for each in told} >= {*clients.acknowledged}
    assert len({(each.match, each.artifact) for each in told}) == len(told) == worked
    assert len({each.id for each in events}) == len(events)
    shown: dict[str, list[str]] = {}
    for each in sorted(events, key=lambda each: each.position or 0):
        if each.outcome == "shown":
            shown.setdefault(str(each.match), []).append(str(each.artifact))
    assert shown == clients.shown
    assert len(clients.acknowledged) > 10 and clients.refused > 0
    assert clients.slowest < 5
    warnings = (home / "server.log").read_text(encoding="utf-8").splitlines()
    said = [each for each in warnings if each.startswith("instead: ")]
    assert 0 < len(said) <= 8 * times, said


def test_a_server_starts_without_its_log_which_comes_later(
    postgres: Postgres, home: Path
) -> None:
    with closing(EventLog(postgres.url)):
        postgres.kill()
    with served(home, INSTEAD_EVENTS=postgres.url) as server:
        found = server.get("/api/v1/search?q=captions").json
        told = {
            "matchId": found["matchId"],
            "slug": found["matches"][0]["artifact"]["slug"],
            "outcome": "worked",
        }
        refused = server.get("/api/v1/feedback", body=told)
        assert refused.status == 503 and refused.headers["Retry-After"]
        assert server.metric("instead_log_up") == 0
        assert server.get("/readyz").status == 200
        postgres.start()
        settled(server)
        assert server.get("/api/v1/feedback", body=told).status == 202
        assert server.get("/api/v1/stats").json["outcomes"]["worked"] == 1


def test_a_log_that_hangs_keeps_nobody_waiting_for_long(
    postgres: Postgres, home: Path
) -> None:
    with served(home, INSTEAD_EVENTS=postgres.url) as server:
        path = "/api/v1/search?q=captions"
        found = server.get(path).json
        told = {
            "matchId": found["matchId"],
            "slug": found["matches"][0]["artifact"]["slug"],
            "outcome": "worked",
        }
        settled(server)
        postgres.freeze()
        first, *others = [server.get("/api/v1/feedback", body=told) for _ in range(6)]
        assert {each.status for each in (first, *others)} == {503}
        assert first.seconds < WRITE_S + 2
        assert sum(each.seconds for each in others) < WRITE_S
        searches = [server.get(path) for _ in range(6)]
        assert {each.status for each in searches} == {200}
        assert sum(each.seconds for each in searches) < LOOK_S + 3
        postgres.thaw()
        settled(server)
        assert server.get("/api/v1/feedback", body=told).status == 202
    with closing(EventLog(postgres.url)) as log:
        assert len({each.match for _, each in log.after()}) == 7
