"""The match graph as it was folded, on the disk: a start folds only what is newer."""

import gc
import hashlib
import io
import json
import logging
import os
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from search.graph import Asked, Hit, MatchGraph, NeedNode, Outcomes

logger = logging.getLogger(__name__)

FORMAT = 2
"""Of the file, and of what folding means: to be raised when either changes."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TICK = timedelta(microseconds=1)
NEVER = np.iinfo(np.int64).min
NONE = -1
LOW = 0xFFFFFFFF
SHOWN = ("shown", "shown-times", "shown-exposure")

Tables = dict[str, NDArray[Any]]


class Mark(NamedTuple):
    """The state of a log: its last event, and how often it has forgotten."""

    seq: int
    event: str
    forgettings: int


def save(path: Path, graph: MatchGraph, mark: Mark) -> None:
    """Write `graph`, folded up to `mark`: all of it, or nothing.

    Raises OSError if the disk refuses. The file is a SHA-256 of the rest, a line of
    JSON with all strings, and an .npz of the numbers that stand for them.
    """
    strings = _Strings()
    with _uncollected():
        columns = _columns(graph, strings)
    body = io.BytesIO()
    np.savez(body, allow_pickle=False, **columns)
    head = {
        "format": FORMAT,
        "mark": mark,
        "matches": graph.matches,
        "told": graph.told,
        "strings": list(strings.numbers),
    }
    content = json.dumps(head).encode() + b"\n" + body.getvalue()
    aside = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.new")
    try:
        with aside.open("wb") as file:
            file.write(hashlib.sha256(content).hexdigest().encode() + b"\n")
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def load(path: Path) -> tuple[MatchGraph, Mark] | None:
    """Return the graph that `save` wrote, and the mark it was folded up to.

    None if there is none. One that is damaged or of another format is passed over,
    which is logged. It goes on as if all events had been folded into it, be it amid a
    burst of typing: all that folding looks at is kept.
    """
    try:
        return _read(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        logger.warning("%s is passed over, and the log folded anew: %s", path, error)
        return None


def _read(file: bytes) -> tuple[MatchGraph, Mark]:
    checksum, _, content = file.partition(b"\n")
    if hashlib.sha256(content).hexdigest().encode() != checksum:
        raise ValueError("it is damaged")
    line, _, body = content.partition(b"\n")
    head = json.loads(line)
    if head["format"] != FORMAT:
        raise ValueError(f"it has format {head['format']}, not {FORMAT}")
    with np.load(io.BytesIO(body), allow_pickle=False) as columns, _uncollected():
        graph = _graph(dict(columns), head["strings"])
    graph.matches, graph.told = head["matches"], head["told"]
    return graph, Mark(*head["mark"])


@contextmanager
def _uncollected() -> Iterator[None]:
    """Make many objects without looking again and again for those that are garbage."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


class _Strings:
    """Each string once, by its number; None has one that none has."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def __call__(self, each: str | None) -> int:
        if each is None:
            return NONE
        return self.numbers.setdefault(each, len(self.numbers))

    def table(
        self, rows: Iterable[Iterable[str | None]], width: int
    ) -> NDArray[np.int64]:
        """Return the numbers of rows of strings, shape (rows, width)."""
        return _table([[*map(self, row)] for row in rows], width)


def _table(rows: Sequence[Sequence[int]], width: int) -> NDArray[np.int64]:
    return np.array(rows, dtype=np.int64).reshape(-1, width)


def _ticks(at: datetime | None) -> int:
    return NEVER if at is None else (at - EPOCH) // TICK


def _time(ticks: int) -> datetime | None:
    return None if ticks == NEVER else EPOCH + timedelta(microseconds=ticks)


def _times(ticks: Iterable[int]) -> Iterator[datetime]:
    return (EPOCH + timedelta(microseconds=each) for each in ticks)


def _columns(graph: MatchGraph, strings: _Strings) -> Tables:
    """Return all of a graph but its two counts, as numbers."""
    groups = graph.unmet_needs.groups
    needs = [
        (
            *map(strings, (key, each.text)),
            *(each.matches, each.unmet, groups.get(key, NONE), _ticks(each.last)),
        )
        for key, each in graph.needs.items()
    ]
    came = [(key, slug) for key, slugs in graph.answers.items() for slug in slugs]
    texts = [(key, graph.texts[key]) for key in graph.answers]
    return {
        "needs": _table(needs, 6),
        "texts": strings.table(texts, 2),
        "artifacts": strings.table(zip(graph.artifacts, strict=True), 1),
        "capabilities": strings.table(graph.capabilities, 2),
        "came": strings.table(came, 2),
        **_outcome_columns("artifact", graph.artifacts.values(), strings),
        **_outcome_columns("capability", graph.capabilities.values(), strings),
        **_outcome_columns("edge", [graph.edges[each] for each in came], strings),
        **_shown_columns(graph, strings),
        **_ledger_columns(graph, strings),
    }


def _outcome_columns(name: str, given: Iterable[Outcomes], strings: _Strings) -> Tables:
    outcomes = [*given]
    counts = [
        (row, strings(outcome), times)
        for row, each in enumerate(outcomes)
        for outcome, times in each.counts.items()
    ]
    weights = [(each.worked, each.failed, each.exposure) for each in outcomes]
    return {
        f"{name}-counts": _table(counts, 3),
        f"{name}-weights": np.array(weights, dtype=np.float64).reshape(-1, 3),
        f"{name}-last": np.array([_ticks(e.last) for e in outcomes], dtype=np.int64),
    }


def _shown_columns(graph: MatchGraph, strings: _Strings) -> Tables:
    """Return the edges that were shown and no more, and only the names they have."""
    pairs, (times, exposure) = graph.edges.shown.whole()
    used, ends = np.unique([pairs >> 32, pairs & LOW], return_inverse=True)
    needs, artifacts = ends.reshape(2, -1).astype(np.int64)
    names = [[graph.edges.names[each]] for each in used.tolist()]
    return {
        "names": strings.table(names, 1),
        "shown": needs << 32 | artifacts,  # as many of each are below: still in order
        "shown-times": times,
        "shown-exposure": exposure,
    }


def _ledger_columns(graph: MatchGraph, strings: _Strings) -> Tables:
    ledger = graph.ledger
    asked = [
        (strings(source), strings(each.match), strings(each.key), _ticks(each.at))
        for source, each in ledger.asked.items()
    ]
    hits = [
        (*map(strings, each[:3]), NONE if each.position is None else each.position)
        for match in ledger.hits.values()
        for each in match
    ]
    said = [_ticks(at) for times in ledger.said.values() for at in times]
    seen, (flags,) = ledger.matches.whole()
    return {
        "asked": _table(asked, 4),
        "hit-matches": strings.table(zip(ledger.hits, strict=True), 1),
        "match-ends": _ends(ledger.hits.values()),
        "hits": _table(hits, 4),
        "matches": seen,
        "flags": flags,
        "told": ledger.told.whole().keys,
        "said": np.array([*ledger.said], dtype=np.int64),
        "said-ends": _ends(ledger.said.values()),
        "said-times": np.array(said, dtype=np.int64),
    }


def _ends(parts: Iterable[Sequence[Any]]) -> NDArray[np.int64]:
    """Return where each part begins and ends when all stand in a row."""
    return np.cumsum([0, *map(len, parts)], dtype=np.int64)


def _graph(columns: Tables, strings: list[str]) -> MatchGraph:
    """Return the graph that `_columns` took apart."""
    graph = MatchGraph()
    read = _Reader(columns, [*strings, None])
    for number, text, matches, unmet, group, last in columns["needs"].tolist():
        node = NeedNode(strings[text], matches, unmet, _time(last))
        graph.needs[strings[number]] = node
        if group != NONE:
            graph.unmet_needs.count(strings[number], unmet, group)
    graph.texts.update(read.rows("texts"))
    came = [*read.rows("came")]
    for need, slug in came:
        graph.answers[need].add(slug)
        graph.tried[slug].add(need)
    artifacts, capabilities = read.one("artifacts"), read.rows("capabilities")
    graph.artifacts.update(zip(artifacts, read.outcomes("artifact"), strict=True))
    became = read.outcomes("capability")
    graph.capabilities.update(zip(capabilities, became, strict=True))
    for each in graph.artifacts.values():
        graph.outcomes.update(each.counts)
    for name in read.one("names"):
        graph.edges.number(name)
    graph.edges.shown.fill(*(columns[each] for each in SHOWN))
    for pair, outcomes in zip(came, read.outcomes("edge"), strict=True):
        graph.edges.make(pair, outcomes)
    _fill_ledger(graph, read)
    return graph


class _Reader:
    """Columns, their numbers as the strings they stand for."""

    def __init__(self, columns: Tables, strings: Sequence[Any]) -> None:
        self.columns = columns
        self.string = strings.__getitem__  # the last stands for NONE

    def one(self, name: str) -> Iterator[str]:
        """Return the strings of a column."""
        return map(self.string, self.columns[name].ravel().tolist())

    def rows(self, name: str, width: int | None = None) -> Iterator[Any]:
        """Return the rows of the first `width` columns, all unless told."""
        table = self.columns[name][:, :width]
        return zip(*(map(self.string, each.tolist()) for each in table.T), strict=True)

    def parts(self, name: str, of: Sequence[Any]) -> Iterator[Sequence[Any]]:
        """Return `of` in the parts that `_ends` tells of."""
        return (of[a:b] for a, b in pairwise(self.columns[name].tolist()))

    def outcomes(self, name: str) -> list[Outcomes]:
        """Return what `_outcome_columns` took apart."""
        lasts = map(_time, self.columns[f"{name}-last"].tolist())
        weights = self.columns[f"{name}-weights"].tolist()
        made = [
            Outcomes(Counter(), worked, failed, exposure, last)
            for (worked, failed, exposure), last in zip(weights, lasts, strict=True)
        ]
        for row, outcome, times in self.columns[f"{name}-counts"].tolist():
            made[row].counts[self.string(outcome)] = times
        return made


def _fill_ledger(graph: MatchGraph, read: _Reader) -> None:
    columns, ledger = read.columns, graph.ledger
    ats = _times(columns["asked"][:, 3].tolist())
    for (source, match, key), at in zip(read.rows("asked", 3), ats, strict=True):
        ledger.asked[source] = Asked(match, key, at)
    places = [None if e == NONE else e for e in columns["hits"][:, 3].tolist()]
    rows = zip(read.rows("hits", 3), places, strict=True)
    hits = [Hit(slug, part, outcome, at) for (slug, part, outcome), at in rows]
    of_matches = map(list, read.parts("match-ends", hits))
    ledger.hits.update(zip(read.one("hit-matches"), of_matches, strict=True))
    ledger.matches.fill(columns["matches"], columns["flags"])
    told = columns["told"]
    ledger.told.fill(told, np.ones(len(told), dtype=np.uint8))
    times = [*_times(columns["said-times"].tolist())]
    said = map(list, read.parts("said-ends", times))
    ledger.said.update(zip(columns["said"].tolist(), said, strict=True))
