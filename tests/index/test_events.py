import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from index.errors import EventError
from index.events import EventLog, MatchEvent, Recorder

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)


def event(id_: str, **given: object) -> MatchEvent:
    fields = {"need": "captions", "outcome": "shown", "at": NOW, "artifact": "a"}
    return MatchEvent(id=id_, **{**fields, **given})  # type: ignore[arg-type]  # fields of many types in one dict


@pytest.fixture
def log(tmp_path: Path) -> Iterator[EventLog]:
    with closing(EventLog.beside(tmp_path / "home")) as opened:
        yield opened


def test_what_is_appended_comes_back_in_order(log: EventLog) -> None:
    whole = event(
        "1",
        match="m",
        capability="c",
        position=1,
        score=0.5,
        probability=1.0,
        generation="000001",
        source="cli",
        comment="fine",
        legs={"keyword": 0.25, "vector": 0.25},
    )
    assert log.append([whole, event("2", match="m", position=2)]) == 2
    assert log.append([]) == 0
    assert next(each for _, each in log.after()) == whole
    assert [each.id for _, each in log.after(1)] == ["2"]
    assert [each.position for each in log.shown("m")] == [1, 2]
    assert log.shown("nobody") == ()
    assert len(log) == 2


def test_an_event_written_twice_is_one(log: EventLog) -> None:
    assert log.append([event("1"), event("2")]) == 2
    assert log.append([event("1"), event("3"), event("3")]) == 1
    assert len(log) == 3


def test_what_is_forgotten_is_gone_from_the_disk(log: EventLog, tmp_path: Path) -> None:
    secret = "a very private need"
    log.append([event("old", need=secret, at=NOW - timedelta(days=2)), event("new")])
    assert log.forget(NOW - timedelta(days=1)) == 1
    assert [each.id for _, each in log.after()] == ["new"]
    for path in (tmp_path / "home").iterdir():
        assert secret.encode() not in path.read_bytes()


def test_a_log_of_a_newer_version_is_refused(log: EventLog) -> None:
    with log._connection() as connection:
        connection.exec_driver_sql("UPDATE schema_version SET version = 99")
    with pytest.raises(EventError, match="version 99, newer than 1"):
        EventLog(log.url)


def test_a_log_that_cannot_be_opened_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "events.sqlite").write_text("no database at all, but a text" * 100)
    with pytest.raises(EventError, match="file is not a database"):
        EventLog.beside(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(EventError, match="file"):
        EventLog.beside(tmp_path / "file")


def test_events_of_many_threads_are_all_written(log: EventLog) -> None:
    with closing(Recorder(log)) as recorder, ThreadPoolExecutor(8) as pool:
        futures = pool.map(
            lambda number: recorder.record([event(f"{number}-{i}") for i in range(3)]),
            range(200),
        )
        for future in futures:
            future.result()
        recorder.flush()
        assert len(log) == 600


def test_a_recorder_says_what_the_log_refuses(log: EventLog) -> None:
    with closing(Recorder(log)) as recorder:
        with log._connection() as connection:
            connection.exec_driver_sql("DROP TABLE events")
        with pytest.raises(EventError, match="no such table"):
            recorder.record([event("1")]).result()


def test_a_full_queue_drops_and_says_so(
    log: EventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck = threading.Event()
    monkeypatch.setattr(log, "append", lambda events: stuck.wait(10) and 0)
    with closing(Recorder(log, waiting=1)) as recorder:
        futures = [recorder.record([event(str(number))]) for number in range(10)]
        refused = [each.exception() for each in futures if each.done()]
        assert len(refused) >= 8  # one is being written, one waits
        assert all("too many events wait" in str(each) for each in refused)
        stuck.set()


WRITER = """
import sys
from datetime import datetime, UTC
from pathlib import Path
from index.events import EventLog, MatchEvent, Recorder

recorder = Recorder(EventLog.beside(Path(sys.argv[1])))
for number in range(1_000_000):
    id_ = f"{sys.argv[2]}-{number}"
    event = MatchEvent(id_, "need", "worked", datetime.now(UTC), "a")
    recorder.record([event]).result()
    print(id_, flush=True)
"""


@pytest.mark.parametrize("kills", [10, pytest.param(100, marks=pytest.mark.nightly)])
def test_no_acknowledged_event_is_lost_to_a_kill(tmp_path: Path, kills: int) -> None:
    acknowledged: set[str] = set()
    for number in range(kills):
        command = [sys.executable, "-c", WRITER, str(tmp_path), str(number)]
        root = Path(__file__).parents[2]
        with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=root) as writer:
            assert writer.stdout
            first = writer.stdout.readline()
            time.sleep(0.01 * (number % 7))
            writer.kill()
            # The last line may be cut; what ends in a newline was acknowledged.
            lines = (first + writer.stdout.read()).decode().split("\n")[:-1]
        acknowledged.update(lines)
    with closing(EventLog.beside(tmp_path)) as log:
        ids = [each.id for _, each in log.after()]
    assert len(acknowledged) >= kills
    assert len(ids) == len(set(ids))
    assert acknowledged <= set(ids)
