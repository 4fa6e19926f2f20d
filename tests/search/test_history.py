from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from index.errors import FeedbackError
from index.events import EventLog, MatchEvent
from index.home import Home
from search.engine import Engine
from search.history import History
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
