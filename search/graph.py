"""The match graph: needs, capabilities and artifacts, folded from the event log."""

import math
import re
from collections import Counter, defaultdict, deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from index.events import MatchEvent
from index.keyword import analyse

BURST = timedelta(seconds=10)
"""Needs of one source, each the beginning of the next, are one need being typed."""

RELOAD = timedelta(minutes=30)
"""The same need of the same source within it is a reload, not another need."""

CAP = 3
"""Outcomes of one kind that one source can add for one need and artifact in a day: what
it can move is bounded however often it repeats itself."""

DAY = timedelta(days=1)

HALF_LIFE = timedelta(days=180)
"""After it an outcome counts for half: artifacts change."""

SHARED = 3
"""Distinct matches that must share a need before its text is published."""

RIGHT = 0.5
"""How right an artifact is for a need from which on it is said to be right for it."""

Z = 1.645
"""Standard deviations to either end of a 90 % interval."""


class Success(NamedTuple):
    """How often it worked: the mean of a Beta posterior, its 90 % interval, and n.

    `n` is the number of outcomes, each counted by how old it is.
    """

    value: float
    low: float
    high: float
    n: float


@dataclass(slots=True)
class Outcomes:
    """How often each thing became of something; `worked` and `failed` also decayed."""

    counts: Counter[str] = field(default_factory=Counter)
    worked: float = 0.0
    failed: float = 0.0
    exposure: float = 0.0
    """How often it was looked at: a hit at position r once in r times it is shown."""
    last: datetime | None = None

    def add(self, outcome: str, at: datetime, times: int = 1) -> None:
        """Count an outcome that happened `at`, or take it back with `times` -1."""
        self.counts[outcome] += times
        if outcome not in ("worked", "failed"):
            return
        if self.last is not None and at > self.last:
            faded = 0.5 ** ((at - self.last) / HALF_LIFE)
            self.worked *= faded
            self.failed *= faded
        age = (self.last - at) if self.last is not None and at < self.last else None
        weight = times * (0.5 ** (age / HALF_LIFE) if age else 1.0)
        setattr(self, outcome, getattr(self, outcome) + weight)
        self.last = at if self.last is None else max(self.last, at)

    @property
    def tried(self) -> bool:
        """Whether anybody chose it, or said how it went."""
        return any(self.counts[each] > 0 for each in ("chosen", "worked", "failed"))

    def right(self) -> float:
        """Return how right it was, in [0, 1].

        What somebody said of it, if anybody did; else its clicks, corrected for the
        places it was shown at: (clicks + .2) / (exposure + 1) - .2, where a place at
        rank r is looked at once in r times.
        """
        if (said := self.worked + self.failed) > 0:
            return self.worked / said
        clicks = self.counts["chosen"]
        corrected = (clicks + 0.2) / (self.exposure + 1) - 0.2
        return min(1.0, max(0.0, corrected)) if clicks else 0.0

    def success(self) -> Success | None:
        """Return how often it worked; None where nobody has said.

        The prior is Beta(1, 1); the interval is that of a normal distribution with the
        posterior's variance, cut to [0, 1].
        """
        n = self.worked + self.failed
        if n <= 0:
            return None
        a, b = 1 + self.worked, 1 + self.failed
        mean = a / (a + b)
        spread = Z * math.sqrt(a * b / ((a + b) ** 2 * (a + b + 1)))
        return Success(mean, max(0.0, mean - spread), min(1.0, mean + spread), n)


class HeadToHead(NamedTuple):
    """Of `n` needs that two were shown for and something came of, who did better."""

    a: int
    b: int
    n: int


@dataclass(slots=True)
class NeedNode:
    """A need as it was said last, the matches that asked it, and when."""

    text: str
    matches: int = 0
    unmet: int = 0
    last: datetime | None = None


class Asked(NamedTuple):
    """What a source asked last."""

    match: str
    key: str
    at: datetime


class Hit(NamedTuple):
    """What of an event it takes to take it back."""

    artifact: str | None
    capability: str | None
    outcome: str
    position: int | None


@dataclass(slots=True)
class Ledger:
    """What further events are judged by: whether they are new, and too many."""

    asked: dict[str, Asked] = field(default_factory=dict)
    """By source."""
    hits: dict[str, list[Hit]] = field(default_factory=dict)
    """By match, of those that may yet turn out to be the beginning of another."""
    seen: set[str] = field(default_factory=set)
    """Matches, as in the next two."""
    settled: set[str] = field(default_factory=set)
    ignored: set[str] = field(default_factory=set)
    told: set[tuple[str, str, str]] = field(default_factory=set)
    """Match, artifact, outcome."""
    said: defaultdict[tuple[str, str, str, str], deque[datetime]] = field(
        default_factory=lambda: defaultdict(deque)
    )
    """When, by source, need, artifact, outcome."""


class ShownEdges:
    """Edges that were shown and no more, as columns."""

    def __init__(
        self,
        strings: list[str],
        edges: NDArray[np.int32],
        exposure: NDArray[np.float64],
    ) -> None:
        """Take the numbers of need and artifact among `strings`, and the times shown.

        `edges` has the shape (edges, 3), sorted.
        """
        self.strings, self.edges, self.exposure = strings, edges, exposure
        self._numbers = {each: number for number, each in enumerate(strings)}
        self._pairs = edges[:, 0].astype(np.int64) << 32 | edges[:, 1]

    @classmethod
    def none(cls) -> "ShownEdges":
        """Return the columns of no edge."""
        return cls([], np.empty((0, 3), dtype=np.int32), np.empty(0))

    def __len__(self) -> int:
        return len(self.edges)

    def row(self, pair: tuple[str, str]) -> int | None:
        """Return the row of an edge; None if it is none of these."""
        need, artifact = (self._numbers.get(each) for each in pair)
        if need is None or artifact is None:
            return None
        wanted = need << 32 | artifact
        row = int(self._pairs.searchsorted(wanted))
        return row if row < len(self) and self._pairs[row] == wanted else None

    def of(self, needs: Collection[str]) -> NDArray[np.int64]:
        """Return the rows of the edges of some needs."""
        numbers = [self._numbers[each] for each in needs if each in self._numbers]
        return np.flatnonzero(np.isin(self.edges[:, 0], numbers))

    def pair(self, row: int) -> tuple[str, str]:
        """Return the need and the artifact of an edge."""
        need, artifact, _ = self.edges[row].tolist()
        return self.strings[need], self.strings[artifact]

    def outcomes(self, row: int) -> Outcomes:
        """Return what became of an edge."""
        counts = Counter({"shown": int(self.edges[row, 2])})
        return Outcomes(counts, exposure=float(self.exposure[row]))


class Edges(Mapping[tuple[str, str], Outcomes]):
    """What came of each artifact for each need.

    Most edges were only ever shown. Those of a checkpoint stay columns until an event
    touches them: a million of them are there at once, and looking changes nothing.
    """

    def __init__(self, columns: ShownEdges | None = None) -> None:
        """Begin with the edges in `columns`."""
        self.columns = columns or ShownEdges.none()
        self.made: dict[tuple[str, str], Outcomes] = {}
        """The edges that are no columns, or no more; `make` adds to them."""
        self._artifacts: defaultdict[str, list[str]] = defaultdict(list)
        self._left = np.ones(len(self.columns), dtype=bool)

    def touched(self, pair: tuple[str, str]) -> Outcomes:
        """Return the outcomes of an edge to be added to, made if there is none."""
        if (found := self.made.get(pair)) is None:
            row = self.columns.row(pair)
            found = Outcomes() if row is None else self.columns.outcomes(row)
            self.make(pair, found)
            if row is not None:
                self._left[row] = False
        return found

    def make(self, pair: tuple[str, str], came: Outcomes) -> None:
        """Add an edge that is no column."""
        self.made[pair] = came
        self._artifacts[pair[0]].append(pair[1])

    def of(self, needs: Collection[str]) -> Iterator[tuple[tuple[str, str], Outcomes]]:
        """Yield the edges of some needs, and what became of each."""
        for need in needs:
            for artifact in tuple(self._artifacts.get(need, ())):
                yield (need, artifact), self.made[need, artifact]
        for row in self.columns.of(needs).tolist():
            if self._left[row]:
                yield self.columns.pair(row), self.columns.outcomes(row)

    def left(self) -> NDArray[np.int64]:
        """Return the rows of the columns that no event touched."""
        return np.flatnonzero(self._left)

    def __getitem__(self, pair: tuple[str, str]) -> Outcomes:
        if (found := self.made.get(pair)) is not None:
            return found
        if (row := self.columns.row(pair)) is None:
            raise KeyError(pair)
        return self.columns.outcomes(row)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        yield from self.made
        yield from map(self.columns.pair, self.left().tolist())

    def __len__(self) -> int:
        return len(self.made) + int(self._left.sum())


class MatchGraph:
    """Counts by need, by capability, by artifact, and by the edges between them."""

    def __init__(self, events: Iterable[MatchEvent] = ()) -> None:
        """Fold `events`, in the order of the log."""
        self.needs: dict[str, NeedNode] = {}
        self.artifacts: defaultdict[str, Outcomes] = defaultdict(Outcomes)
        self.capabilities: defaultdict[tuple[str, str], Outcomes]
        self.capabilities = defaultdict(Outcomes)
        self.edges = Edges()
        self.tried: defaultdict[str, set[str]] = defaultdict(set)
        """The needs of which something came, by slug."""
        self.answers: defaultdict[str, set[str]] = defaultdict(set)
        """The artifacts of which something came, by need."""
        self.matches = 0
        self.told = 0
        """Outcomes counted so far: what was learned is as old as this."""
        self.texts: dict[str, str] = {}
        self.ledger = Ledger()
        for each in events:
            self.fold(each)

    def fold(self, event: MatchEvent) -> None:
        """Take one further event in."""
        key = need_key(event.need)
        if event.outcome in ("shown", "unmet"):
            self._show(event, key)
        elif event.artifact and self._counts(event, key):
            if event.match:
                self.ledger.settled.add(event.match)
            self._add(event, key)

    def _show(self, event: MatchEvent, key: str) -> None:
        match = event.match or event.id
        if match in self.ledger.ignored:
            return
        if match not in self.ledger.seen:
            self.ledger.seen.add(match)
            source = event.source or ""
            before = self.ledger.asked.get(source)
            if before and before.key == key and event.at - before.at < RELOAD:
                self.ledger.ignored.add(match)
                return
            if before and self._typing(before, key, event.at):
                self._take_back(before)
            elif before:
                self.ledger.hits.pop(
                    before.match, None
                )  # nothing takes it back any more
            self.ledger.asked[source] = Asked(match, key, event.at)
            self.ledger.hits[match] = []
            node = self.needs.setdefault(key, NeedNode(event.need))
            node.text, node.last = event.need, event.at
            node.matches += 1
            node.unmet += event.outcome == "unmet"
            self.matches += 1
        hit = Hit(event.artifact, event.capability, event.outcome, event.position)
        self.ledger.hits.setdefault(match, []).append(hit)
        if event.artifact:
            self._add(event, key)

    def _typing(self, before: Asked, key: str, at: datetime) -> bool:
        """Return whether the need before was this one, not yet typed to its end."""
        grown = key.startswith(before.key) or before.key.startswith(key)
        return (
            grown and at - before.at < BURST and before.match not in self.ledger.settled
        )

    def _take_back(self, before: Asked) -> None:
        for each in self.ledger.hits.pop(before.match, ()):
            if each.artifact:
                self._count(each, before.key, before.at, times=-1)
            if each.outcome == "unmet":
                self.needs[before.key].unmet -= 1
        node = self.needs[before.key]
        node.matches -= 1
        self.matches -= 1
        self.ledger.ignored.add(before.match)
        if node.matches <= 0:
            del self.needs[before.key]

    def _counts(self, event: MatchEvent, key: str) -> bool:
        """Return whether an outcome is another one, and not one too many."""
        if event.match:
            told = (event.match, event.artifact or "", event.outcome)
            if told in self.ledger.told:
                return False
            self.ledger.told.add(told)
        said = self.ledger.said[
            event.source or "", key, event.artifact or "", event.outcome
        ]
        while said and event.at - said[0] >= DAY:
            said.popleft()
        if len(said) >= CAP and event.match:
            return False
        said.append(event.at)
        return True

    def _add(self, event: MatchEvent, key: str) -> None:
        assert event.artifact
        self._count(event, key, event.at)
        if event.outcome != "shown":
            self.told += 1
            self.texts[key] = event.need
            self.tried[event.artifact].add(key)
            self.answers[key].add(event.artifact)

    def _count(
        self, hit: Hit | MatchEvent, key: str, at: datetime, times: int = 1
    ) -> None:
        assert hit.artifact
        nodes = [self.artifacts[hit.artifact], self.edges.touched((key, hit.artifact))]
        if hit.capability:
            nodes.append(self.capabilities[hit.artifact, hit.capability])
        for node in nodes:
            node.add(hit.outcome, at, times)
            if hit.outcome == "shown":
                node.exposure += times / (hit.position or 1)

    def came(self) -> Iterator[tuple[str, str, Outcomes]]:
        """Yield each need and artifact of which something came, in the order of needs.

        What the needs were is in `texts`.
        """
        for key, slugs in list(self.answers.items()):
            for slug in sorted(slugs):
                yield key, slug, self.edges[key, slug]

    def totals(self) -> dict[str, int]:
        """Return how often each outcome came about, over all artifacts."""
        total: Counter[str] = Counter()
        for each in self.artifacts.values():
            total += each.counts
        return dict(sorted(total.items()))

    def head_to_head(self, a: str, b: str) -> "HeadToHead":
        """Return how two artifacts did for the needs that both were tried for."""
        ahead = {1: 0, 0: 0, -1: 0}
        for key in self.tried.get(a, set()) | self.tried.get(b, set()):
            mine, other = self.edges.get((key, a)), self.edges.get((key, b))
            if mine and other and (mine.tried or other.tried):
                gap = mine.right() - other.right()
                ahead[(gap > 0) - (gap < 0)] += 1
        return HeadToHead(ahead[1], ahead[-1], sum(ahead.values()))

    def shared(self, slug: str) -> Counter[str]:
        """Return for how many needs that one was right for each other one was too."""
        found: Counter[str] = Counter()
        for key in self._right(slug):
            for other in self.answers[key] - {slug}:
                if self.edges[key, other].right() >= RIGHT:
                    found[other] += 1
        return found

    def _right(self, slug: str) -> list[str]:
        """Return the needs that an artifact was rather right than wrong for."""
        keys = self.tried.get(slug, set())
        return [key for key in keys if self.edges[key, slug].right() >= RIGHT]

    def unmet(self, limit: int = 20) -> list[NeedNode]:
        """Return the needs that nothing answered, the most asked first.

        Those with the same terms, in whatever order and form, are one. Only what
        enough distinct matches share is told, for what one person typed is nobody
        else's business: where no wording is shared enough, the terms stand for it.
        """
        alike: defaultdict[tuple[str, ...], list[NeedNode]] = defaultdict(list)
        for key, node in self.needs.items():
            if node.unmet > 0:
                alike[_terms(key)].append(node)
        found = []
        for terms, nodes in alike.items():
            most = max(nodes, key=lambda each: (each.unmet, each.text))
            unmet = sum(each.unmet for each in nodes)
            if unmet >= SHARED:
                text = most.text if most.unmet >= SHARED else " ".join(terms)
                matches = sum(each.matches for each in nodes)
                found.append(NeedNode(text, matches, unmet, most.last))
        return sorted(found, key=lambda each: (-each.unmet, each.text))[:limit]


@lru_cache(maxsize=10_000)
def _terms(key: str) -> tuple[str, ...]:
    """Return the terms of a need in one order; itself if it has none."""
    return tuple(sorted({*analyse(key)})) or (key,)


def need_key(text: str) -> str:
    """Return what two ways of writing the same need share: case and signs are none."""
    return " ".join(re.findall(r"[^\W_]+", text.casefold()))
