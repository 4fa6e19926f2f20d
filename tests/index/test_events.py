import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from index import events
from index.errors import EventError
from index.events import EventLog, MatchEvent, Recorder
from tests.resilience.postgres import running

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)


def event(id_: str, **given: object) -> MatchEvent:
    fields = {"need": "captions", "outcome": "shown", "at": NOW, "artifact": "a"}
    return MatchEvent(id=id_, **{**fields, **given})  # type: ignore[arg-type]  # fields of many types in one dict


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The address of a real PostgreSQL, from a wheel; or of your own, by variable."""
    if given := os.environ.get("INSTEAD_TEST_POSTGRES"):
        yield given
        return
    with running() as server:
        yield server.url


@pytest.fixture
def file_log(tmp_path: Path) -> Iterator[EventLog]:
    with closing(EventLog.beside(tmp_path / "home")) as opened:
        yield opened


@pytest.fixture(params=["sqlite", "postgresql"])
def log(request: pytest.FixtureRequest) -> Iterator[EventLog]:
    """A log of either kind: one contract holds for both."""
    if request.param == "sqlite":
        yield request.getfixturevalue("file_log")
        return
    with closing(EventLog(request.getfixturevalue("postgres"))) as opened:
        yield opened
        with opened._connection() as connection:
            connection.exec_driver_sql("TRUNCATE events, forgettings RESTART IDENTITY")
            connection.exec_driver_sql("UPDATE schema_version SET version = 1")


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


def test_an_event_is_known_by_its_number(log: EventLog) -> None:
    log.append([event("x"), event("y")])
    assert [log.id_of(seq) for seq in range(4)] == [None, "x", "y", None]


def test_an_event_written_twice_is_one(log: EventLog) -> None:
    assert log.append([event("1"), event("2")]) == 2
    assert log.append([event("1"), event("3"), event("3")]) == 1
    assert len(log) == 3


def test_what_is_forgotten_is_gone(log: EventLog) -> None:
    log.append([event("old", at=NOW - timedelta(days=2)), event("new")])
    assert log.forgettings() == 0
    assert log.forget(NOW - timedelta(days=1)) == 1
    assert [each.id for _, each in log.after()] == ["new"]
    assert log.forgettings() == 1


def test_what_is_forgotten_is_gone_from_the_disk(
    file_log: EventLog, tmp_path: Path
) -> None:
    log = file_log
    secret = "a very private need"
    log.append([event("old", need=secret, at=NOW - timedelta(days=2)), event("new")])
    assert log.forget(NOW - timedelta(days=1)) == 1
    assert [each.id for _, each in log.after()] == ["new"]
    for path in (tmp_path / "home").iterdir():
        assert secret.encode() not in path.read_bytes()


def test_after_forgetting_what_fails_is_undone_as_before(file_log: EventLog) -> None:
    file_log.forget(NOW)

    def half() -> None:
        with file_log._connection() as connection:
            connection.exec_driver_sql("INSERT INTO forgettings DEFAULT VALUES")
            connection.exec_driver_sql("no SQL")

    with pytest.raises(EventError, match="syntax error"):
        half()
    assert file_log.forgettings() == 1


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

        def write(number: int) -> None:
            recorder.record([event(f"{number}-{i}") for i in range(2)])
            recorder.write([event(f"{number}-2")])

        for done in [pool.submit(write, number) for number in range(200)]:
            done.result()
        assert len(log) == 600
        recorder.record([event("one more")])
    assert len(log) == 601
    assert (recorder.waiting, recorder.dropped, recorder.away) == (0, 0, None)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A log that was away is tried again soon."""
    monkeypatch.setattr(events, "RETRY_S", 0.05)


@pytest.mark.usefixtures("impatient")
def test_what_is_recorded_waits_for_a_log_that_is_away(
    file_log: EventLog, caplog: pytest.LogCaptureFixture
) -> None:
    log = file_log
    with closing(Recorder(log)) as recorder:
        with log._connection() as connection:
            connection.exec_driver_sql("ALTER TABLE events RENAME TO elsewhere")
        recorder.record([event("behind")])
        for _ in range(2):  # the second time it is known
            with pytest.raises(EventError, match=r"no such table") as refused:
                recorder.write([event("told"), event("in vain")])
            assert refused.value.away
        assert recorder.away and recorder.waiting == 1
        with log._connection() as connection:
            connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO events")
        time.sleep(0.1)
        recorder.write([event("told")])
        assert recorder.away is None
        assert [each.id for _, each in log.after()] == ["behind", "told"]
    said = [each.getMessage() for each in caplog.records]
    assert len(said) == 2 and "wait until" in said[0] and "there again" in said[1]


def test_what_no_log_can_hold_is_dropped_alone(
    log: EventLog, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    go, append = threading.Event(), log.append
    monkeypatch.setattr(log, "append", lambda given: go.wait(10) and append(given))
    with closing(Recorder(log)) as recorder, ThreadPoolExecutor(2) as pool:
        recorder.record([event("first")])
        recorder.record([event("bad", position=10**30)])
        recorder.record([event("good")])
        bad = pool.submit(recorder.write, [event("worse", position=10**30)])
        good = pool.submit(recorder.write, [event("better", need="with a \0 in it")])
        time.sleep(0.1)  # all of them wait together
        go.set()
        good.result()
        with pytest.raises(EventError):
            bad.result()
        assert recorder.dropped == 1
        found = {each.id: each.need for _, each in log.after()}
    assert found == {
        "first": "captions",
        "good": "captions",
        "better": "with a  in it",
    }
    assert ["dropped" in each.getMessage() for each in caplog.records] == [True]


def test_too_much_to_wait_is_dropped_and_counted(
    log: EventLog, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stuck = threading.Event()
    monkeypatch.setattr(log, "append", lambda events: stuck.wait(10) and 0)
    with closing(Recorder(log, most=3)) as recorder:
        for number in range(10):
            recorder.record([event(str(number))])
        assert (recorder.waiting, recorder.dropped) == (3, 7)
        with pytest.raises(EventError, match="too many events wait"):
            recorder.write([event("told")])
        with pytest.raises(EventError, match=r"did not answer within 0\.1 s"):
            recorder.write([], 0.1)
        with pytest.raises(EventError, match="did not answer"):
            recorder.write([])  # it is known
        stuck.set()
        while recorder.away:
            time.sleep(0.01)
        recorder.flush()
        assert (recorder.waiting, recorder.dropped) == (0, 7)
    assert len(caplog.records) == 2


def test_events_are_seen_in_the_order_of_their_numbers(log: EventLog) -> None:
    with ThreadPoolExecutor(4) as pool:
        written = [
            pool.submit(log.append, [event(f"{thread}-{n}") for n in range(20)])
            for thread in range(20)
        ]
        seen: list[int] = []
        while not all(each.done() for each in written):
            seen += [number for number, _ in log.after(seen[-1] if seen else 0)]
    seen += [number for number, _ in log.after(seen[-1] if seen else 0)]
    assert len(seen) == len(set(seen)) == len(log) == 400


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("nowhere", "is no address of a database"),
        ("mysql+nothing://x", "is no address of a database"),
        ("postgresql://postgres@127.0.0.1:1/none?connect_timeout=2", "the event log"),
    ],
)
def test_an_address_of_no_log_is_one_clear_error(address: str, reason: str) -> None:
    with pytest.raises(EventError, match=reason):
        EventLog(address)
