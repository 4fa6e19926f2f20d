import hashlib
import json
import logging
from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.errors import EventError
from index.events import OUTCOMES, EventLog, MatchEvent
from index.home import Home
from search import checkpoint, history
from search.checkpoint import Mark, load, save
from search.graph import MatchGraph
from search.history import History
from web.settings import Settings, forget_learned, open_history

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)
MARK = Mark(3, "id", 0)
NEED = "secret-captions"


def event(number: int, outcome: str = "worked", **given: Any) -> MatchEvent:
    fields = {"need": NEED, "artifact": "a", "at": NOW + timedelta(hours=number)}
    return MatchEvent(id=str(number), outcome=outcome, **{**fields, **given})  # type: ignore[arg-type]  # a plain text stands for the literal


def state(graph: MatchGraph) -> dict[str, Any]:
    """Return all that makes a graph."""
    parts = {name: vars(getattr(graph, name)) for name in ("ledger", "unmet_needs")}
    return {**vars(graph), **parts, "edges": dict(graph.edges)}


raw = st.tuples(
    st.sampled_from([*OUTCOMES, *["shown"] * 6]),
    st.sampled_from([None, "1", "2", "3", "4"]),
    st.sampled_from(["a", "b"]),
    st.sampled_from([None, "c", "d"]),
    st.sampled_from(["cap", "Captions", "captions of", "x\u2028\n\0"]),
    st.sampled_from([None, "s", "t"]),
    st.sampled_from([None, 1, 7]),
    st.sampled_from([-90_000, 0, 1, 9, 1000, 90_000]),
)


def events_of(rows: Iterable[tuple[Any, ...]]) -> list[MatchEvent]:
    events, clock = [], 0
    for number, (outcome, match, slug, part, need, source, place, gap) in enumerate(
        rows
    ):
        clock += gap
        events.append(
            event(
                number,
                outcome,
                need=need,
                artifact=None if outcome == "unmet" else slug,
                capability=part,
                match=match,
                source=source,
                position=place,
                at=NOW + timedelta(seconds=clock, microseconds=number),
            )
        )
    return events


@settings(max_examples=200, deadline=None)
@given(st.lists(raw, max_size=40), st.integers(1, 20))
def test_a_graph_goes_on_from_a_checkpoint_as_if_it_had_folded_all(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Any], every: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "graph.checkpoint"
    events = events_of(rows)
    graph = MatchGraph()
    for number, each in enumerate(events):
        if number % every == 0:
            save(path, graph, MARK)
            loaded = load(path)
            assert loaded is not None
            assert state(loaded[0]) == state(graph)
            graph = loaded[0]
        graph.fold(each)
    whole = MatchGraph(events)
    assert state(graph) == state(whole)
    assert [*graph.came()] == [*whole.came()]
    assert [*graph.texts] == [*whole.texts]
    assert len(graph.edges) == len(whole.edges)
    some = {"captions", "x", "nobody's"}
    of_some = {pair: came for pair, came in whole.edges.items() if pair[0] in some}
    assert graph.edges.of(some) == of_some


@settings(max_examples=300, deadline=None)
@given(st.lists(raw, max_size=60), st.integers(1, 5))
def test_what_becomes_columns_meanwhile_changes_no_answer(
    rows: list[Any], fresh: int
) -> None:
    events = events_of(rows)
    compact, plain = MatchGraph(fresh=fresh), MatchGraph()
    for each in events:
        compact.fold(each)
        plain.fold(each)
        assert compact.matches == plain.matches
        assert compact.totals() == plain.totals()
    assert state(compact) == state(plain)
    assert compact.unmet() == plain.unmet()
    assert [*compact.came()] == [*plain.came()]
    for a, b in (("a", "b"), ("b", "a")):
        assert compact.head_to_head(a, b) == plain.head_to_head(a, b)
        assert compact.shared(a) == plain.shared(a)
    for need in plain.needs:
        assert compact.edges.of([need]) == plain.edges.of([need])


def test_edges_of_an_older_checkpoint_are_in_the_next_one(tmp_path: Path) -> None:
    events = [event(each, "shown", need=f"need {each}") for each in range(5)]
    graph = MatchGraph()
    for each in events:
        graph.fold(each)
        save(tmp_path / "x", graph, MARK)
        graph, _ = load(tmp_path / "x") or pytest.fail("it is not read")
    assert state(graph) == state(MatchGraph(events))


def test_looking_at_an_edge_of_a_checkpoint_changes_nothing(tmp_path: Path) -> None:
    save(tmp_path / "x", MatchGraph([event(1, "shown", position=2)]), MARK)
    graph, mark = load(tmp_path / "x") or pytest.fail("it is not read")
    assert mark == MARK
    for pair in ((NEED, "a"), ("secret captions", "b"), ("b", "a")):
        assert graph.edges.get(pair) is None
    assert not graph.edges.told
    edge = graph.edges["secret captions", "a"]
    assert (edge.counts, edge.exposure) == ({"shown": 1}, 0.5)
    assert not graph.edges.told
    graph.fold(event(2))
    assert graph.edges["secret captions", "a"].counts == {"shown": 1, "worked": 1}
    assert len(graph.edges) == len([*graph.edges]) == 1


def rewritten(file: bytes) -> bytes:
    """Return a whole and undamaged file of the format after this one."""
    line, _, body = file.partition(b"\n")[2].partition(b"\n")
    head = {**json.loads(line), "format": checkpoint.FORMAT + 1}
    content = json.dumps(head).encode() + b"\n" + body
    return hashlib.sha256(content).hexdigest().encode() + b"\n" + content


@pytest.mark.parametrize(
    ("harm", "why"),
    [
        (lambda file: b"", "damaged"),
        (lambda file: file[:-1], "damaged"),
        (lambda file: file[:100] + b"x" + file[101:], "damaged"),
        (lambda file: file.replace(b"secret", b"public"), "damaged"),
        (lambda file: b"PK\3\4 something else\n", "damaged"),
        (rewritten, "has format 3, not 2"),
    ],
)
def test_what_is_damaged_or_foreign_is_passed_over(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, harm: Any, why: str
) -> None:
    path = tmp_path / "graph.checkpoint"
    assert load(path) is None
    assert not caplog.records
    save(path, MatchGraph([event(1)]), MARK)
    path.write_bytes(harm(path.read_bytes()))
    assert load(path) is None
    (record,) = caplog.records
    assert why in record.getMessage()


def test_a_checkpoint_that_cannot_be_written_leaves_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "graph.checkpoint"
    save(path, MatchGraph([event(1)]), MARK)

    def full(number: int) -> None:
        raise OSError(28, "no space left")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="no space"):
        save(path, MatchGraph(), MARK)
    assert [*tmp_path.iterdir()] == [path]
    assert (load(path) or pytest.fail("it is gone"))[0].told == 1


@pytest.fixture
def folded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids of all events folded; every second one is followed by a checkpoint."""
    ids: list[str] = []
    fold = MatchGraph.fold

    def noted(graph: MatchGraph, each: MatchEvent) -> None:
        ids.append(each.id)
        fold(graph, each)

    monkeypatch.setattr(MatchGraph, "fold", noted)
    monkeypatch.setattr(history, "CHECKPOINT_EVERY", 2)
    return ids


@pytest.fixture
def log(home: Home) -> EventLog:
    return EventLog.beside(home.path)


def opened(home: Home) -> History:
    return open_history(Settings(home.path))


def test_a_start_folds_only_what_is_newer_than_the_checkpoint(
    home: Home, log: EventLog, folded: list[str]
) -> None:
    starts = [([1], ["1"]), ([2], ["1", "2"]), ([3], ["3"]), ([], ["3"])]
    for new, expected in starts:
        log.append(map(event, new))
        folded.clear()
        with closing(opened(home)) as one:
            assert folded == expected
            graph = one.graph()
    folded.clear()
    assert graph.told == 3
    with closing(opened(home)) as one:
        log.append([event(4)])
        one.flush()
        one.graph()  # two since the last, and written when it is closed
    folded.clear()
    with closing(opened(home)) as one:
        assert folded == []
        assert one.graph().told == 4


def test_no_checkpoint_is_written_while_requests_wait(
    home: Home, log: EventLog, folded: list[str]
) -> None:
    with closing(opened(home)) as one:
        log.append(map(event, range(9)))
        one.flush()
        assert one.graph().told == len(folded) == 9
        assert not [*home.path.glob("graph-*")]
    assert [*home.path.glob("graph-*")]


@pytest.mark.usefixtures("folded")
def test_a_checkpoint_of_another_log_is_passed_over(
    home: Home, log: EventLog, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "graph.checkpoint"
    log.append(map(event, range(3)))
    with closing(History(log, path)) as one:
        assert one.graph().told == 3
    other = EventLog.beside(tmp_path / "other")
    other.append(map(event, range(5, 9)))
    with closing(History(other, path)) as one:
        assert one.graph().told == 4
    (record,) = caplog.records
    assert "another log" in record.getMessage()


@pytest.mark.usefixtures("folded")
def test_a_log_that_has_forgotten_is_folded_anew(
    home: Home, log: EventLog, tmp_path: Path
) -> None:
    path = tmp_path / "graph.checkpoint"
    log.append([event(1), event(0), event(2), event(3)])
    with closing(History(log, path)):
        pass
    log.forget(NOW + timedelta(minutes=1))
    with closing(History(log, path)) as one:
        assert one.graph().told == 3
    with closing(History(log, path)) as one:
        assert one.graph().told == 3


@pytest.mark.parametrize("running", [True, False])
def test_what_another_host_forgets_is_removed_here(
    log: EventLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, running: bool
) -> None:
    path = tmp_path / "graph.checkpoint"
    monkeypatch.setattr(history, "CHECKPOINT_EVERY", 1)
    log.append(map(event, range(3)))
    with closing(History(log, path)) as one:
        assert path.exists()
        monkeypatch.setattr(history, "CHECKPOINT_EVERY", 9)
        log.forget(NOW + timedelta(minutes=1))
        if running:
            one.flush()
            assert one.graph().told == 2
            assert not path.exists()
    if not running:
        assert path.exists()
        History(log, path).close()
        assert not path.exists()


@pytest.mark.usefixtures("folded", "built")
def test_what_is_forgotten_leaves_no_trace_in_the_home(
    home: Home, log: EventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.append(map(event, range(3)))
    with closing(opened(home)) as running:
        (path,) = home.path.glob("graph-*")
        assert NEED.encode() in path.read_bytes()
        path.with_name(f"{path.name}.x.new").write_text(NEED)  # of one that was killed
        log.append(map(event, range(3, 6)))
        running.flush()
        assert running.graph().told == 6
        log.forget(NOW + timedelta(hours=2))
        forget_learned(Settings(home.path))
        assert not [*home.path.glob("graph-*")]
        monkeypatch.setattr(history, "save", lambda *_: pytest.fail("held, and kept"))


@pytest.mark.usefixtures("folded")
def test_what_is_forgotten_while_it_is_written_is_removed(
    home: Home, log: EventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(path: Path, graph: MatchGraph, mark: Mark) -> None:
        log.forget(NOW + timedelta(days=1))
        forget_learned(Settings(home.path))
        save(path, graph, mark)
        assert path.exists()

    monkeypatch.setattr(history, "save", slow)
    log.append(map(event, range(3)))
    opened(home).close()
    assert not [*home.path.glob("graph-*")]


@pytest.mark.usefixtures("folded")
@pytest.mark.parametrize("error", [OSError(28, "no space"), EventError("locked")])
def test_a_history_goes_on_without_a_checkpoint(
    home: Home,
    log: EventLog,
    error: Exception,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def refused(*given: Any) -> None:
        raise error

    monkeypatch.setattr(history, "save", refused)
    log.append(map(event, range(3)))
    with closing(opened(home)) as one:
        assert one.graph().told == 3
    messages = [each.getMessage() for each in caplog.records]
    assert all(str(error) in each for each in messages)
    assert caplog.records[0].levelno == logging.WARNING


@pytest.mark.usefixtures("folded")
def test_each_log_has_a_checkpoint_of_its_own(home: Home, tmp_path: Path) -> None:
    given = [
        Settings(home.path, events=f"sqlite:///{tmp_path / name}") for name in "ab"
    ]
    home.path.mkdir()
    for number, each in enumerate(given):
        with closing(open_history(each)) as one:
            one.log.append(map(event, range(2 + number)))
        open_history(each).close()
    assert len([*home.path.glob("graph-*")]) == 2
    for number, each in enumerate(given):
        with closing(open_history(each)) as one:
            assert one.graph().told == 2 + number
