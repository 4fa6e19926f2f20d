import threading
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from index.errors import EventError, FeedbackError
from index.events import EventLog, MatchEvent
from index.home import Home
from search.engine import Engine
from search.history import SETTLE_S, History
from search.need import Need


@pytest.fixture
def history(home: Home) -> Iterator[History]:
    with closing(History(EventLog.beside(home.path))) as opened:
        yield opened


def test_an_answer_and_its_outcome_are_in_the_graph(
    history: History, engine: Engine
) -> None:
    answer = engine.search(Need.read("grounded captioning"))
    match = history.answered(answer, "test")
    assert len(history.told(match, "kosmos-2", "worked", "fine")) == 32
    came = history.outcomes("kosmos-2")
    assert (came.counts["shown"], came.counts["worked"]) == (1, 1)
    assert history.outcomes("nobody").counts.total() == 0
    (told,) = [each for _, each in history.log.after() if each.outcome == "worked"]
    assert (told.comment, told.position, told.source) == ("fine", 1, "test")
    assert told.capability == "grounded-captioning"


def test_what_was_never_shown_has_no_outcome(history: History, engine: Engine) -> None:
    answer = engine.search(Need.read("grounded captioning"), k=1)
    match = history.answered(answer)
    with pytest.raises(FeedbackError, match="did not show 'sketcher'"):
        history.told(match, "sketcher", "worked")
    with pytest.raises(FeedbackError, match="no answer has the match id 'x'"):
        history.told("x", "kosmos-2", "worked")


def test_a_need_that_nothing_answers_is_one_event(
    history: History, engine: Engine
) -> None:
    unanswered = engine.search(Need.read("captions"), offset=100)
    history.answered(unanswered)  # a page beyond the last
    history.flush()
    assert len(history.log) == 0
    nothing = engine.search(Need.read("xyzzy", ["template"]))
    assert not nothing.hits
    history.answered(nothing)
    history.flush()
    ((_, event),) = history.log.after()
    assert (event.outcome, event.artifact) == ("unmet", None)


def test_what_another_process_logs_and_forgets_is_seen(
    history: History, engine: Engine, home: Home
) -> None:
    answer = engine.search(Need.read("grounded captioning"))
    with closing(History(EventLog.beside(home.path))) as other:
        other.answered(answer)
        other.flush()
        history.flush()
        assert history.outcomes("kosmos-2").counts["shown"] == 1
        other.log.forget(datetime.now(UTC) + timedelta(days=1))
        history.flush()
        assert history.outcomes("kosmos-2").counts["shown"] == 0
        assert history.graph().matches == 0


def test_what_is_forgotten_amid_the_log_leaves_the_graph(
    history: History, home: Home
) -> None:
    new, old = datetime.now(UTC), datetime.now(UTC) - timedelta(days=9)
    with closing(EventLog.beside(home.path)) as other:
        other.append([MatchEvent("1", "new", "worked", new, "a")])
        other.append([MatchEvent("2", "old", "worked", old, "b")])  # imported later
        history.flush()
        assert set(history.graph().texts) == {"new", "old"}
        other.forget(new - timedelta(days=1))
        history.flush()
        assert set(history.graph().texts) == {"new"}


def test_a_log_that_comes_later_keeps_no_answer_waiting(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("psycopg")
    log = EventLog("postgresql://me:secret@127.0.0.1:1/none", later=True)
    answer = engine.search(Need.read("grounded captioning"))
    with closing(History(log)) as history:
        match = history.answered(answer)
        with pytest.raises(EventError, match=r"127\.0\.0\.1") as refused:
            history.told(match, "kosmos-2", "worked")
        assert refused.value.away and history.away
        assert history.graph().matches == 0
        assert (history.waiting, history.dropped) == (len(answer.hits), 0)
    said = [each.getMessage() for each in caplog.records]
    assert len(said) == 3 and f"{len(answer.hits)} events are lost" in said[-1]
    assert not [each for each in said if "secret" in each]


def test_a_log_that_cannot_be_read_leaves_the_graph_as_it_was(
    history: History,
    engine: Engine,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("search.history.LOOK_EVERY_S", 0)
    match = history.answered(engine.search(Need.read("grounded captioning")))
    history.told(match, "kosmos-2", "worked")
    history.flush()
    with history.log._connection() as connection:
        connection.exec_driver_sql("ALTER TABLE events RENAME TO elsewhere")
    for _ in range(3):
        assert history.outcomes("kosmos-2").counts["worked"] == 1
    assert history.away
    with history.log._connection() as connection:
        connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO events")
    assert history.outcomes("kosmos-2").counts["worked"] == 1
    assert history.away is None
    assert len(caplog.records) == 2


def test_a_log_that_hangs_is_waited_for_once(
    history: History, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search.history.LOOK_EVERY_S", 0)
    monkeypatch.setattr("search.history.LOOK_S", 0.2)
    go = threading.Event()
    monkeypatch.setattr(history.log, "forgettings", lambda: go.wait(10) and 0)
    started = time.monotonic()
    for _ in range(20):
        assert history.graph().matches == 0
    assert time.monotonic() - started < 2
    go.set()


def test_what_another_server_has_just_shown_is_waited_for(
    history: History, engine: Engine, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = engine.search(Need.read("grounded captioning"))
    with closing(History(EventLog.beside(home.path))) as other:
        shown, late = other.log.append, threading.Event()
        monkeypatch.setattr(
            other.log, "append", lambda events: late.wait(10) and shown(events)
        )
        match = other.answered(answer)
        threading.Timer(SETTLE_S / 4, late.set).start()
        assert history.told(match, "kosmos-2", "worked")
