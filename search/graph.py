"""The match graph: needs, capabilities and artifacts, folded from the event log."""

import heapq
import math
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntFlag
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from index.events import MatchEvent
from index.keyword import analyse
from search.columns import FRESH, Columns, Row, key_of

BURST = timedelta(seconds=10)
"""Needs of one source, each the beginning of the next, are one need being typed."""

RELOAD = timedelta(minutes=30)
"""The same need of the same source within it is a reload, not another need."""

CAP = 3
"""Outcomes of one kind that one source can add for one need and artifact in a day: what
it can move is bounded however often it repeats itself."""

DAY = timedelta(days=1)

SOURCES = 10_000
"""Sources whose last need is remembered: as many may be typing at once."""

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


class Flag(IntFlag):
    """What a match is: counted, part of another, or one that something came of."""

    SEEN = 1
    IGNORED = 2
    SETTLED = 4


class Ledger:
    """What further events are judged by: whether they are new, and too many."""

    def __init__(self, fresh: int = FRESH) -> None:
        """Know of nothing; see `Columns` for `fresh`."""
        self.asked: dict[str, Asked] = {}
        """By source, those that asked last at the end."""
        self.hits: dict[str, list[Hit]] = {}
        """By match, of those that may yet turn out to be the beginning of another."""
        self.matches = Columns(np.uint8, fresh=fresh)
        """The flags of each match, by its key."""
        self.told = Columns(np.uint8, fresh=fresh)
        """1 for each match, artifact and outcome, by their key."""
        self.said: dict[int, list[datetime]] = {}
        """When, by the key of source, need, artifact and outcome."""

    def is_(self, match: str, flag: Flag) -> bool:
        """Return whether a match has a flag."""
        found = self.matches.get(key_of(match))
        return found is not None and bool(found[0] & flag)

    def mark(self, match: str, flag: Flag) -> bool:
        """Give a match a flag; return whether it did not have it."""
        new = not self.is_(match, flag)
        if new:
            self.matches.add(key_of(match), flag)
        return new

    def ask(self, source: str, asked: Asked) -> None:
        """Take down what a source asks, and forget who asked longest ago."""
        if before := self.asked.pop(source, None):
            self.hits.pop(before.match, None)
        self.asked[source] = asked
        self.hits[asked.match] = []
        if len(self.asked) > SOURCES:
            oldest = self.asked.pop(next(iter(self.asked)))
            self.hits.pop(oldest.match, None)


class Edges(Mapping[tuple[str, str], Outcomes]):
    """What came of each artifact for each need.

    Most edges were only ever shown. They are columns: a million of them are there at
    once, take some tens of bytes each, and looking changes nothing.
    """

    def __init__(self, fresh: int = FRESH) -> None:
        """Have no edge; see `Columns` for `fresh`."""
        self.told: dict[str, dict[str, Outcomes]] = {}
        """By need and artifact, those of which more came than that they were shown."""
        self.names: list[str] = []
        """The needs and artifacts of the others, by number."""
        self.shown = Columns(np.int32, np.float64, fresh=fresh)
        """How often and how visibly the others were shown, by need << 32 | artifact."""
        self._numbers: dict[str, int] = {}

    def show(self, pair: tuple[str, str], times: int, exposure: float) -> None:
        """Count how often an edge is shown; one that never was any more is none."""
        if (told := self._told(pair)) is not None:
            told.counts["shown"] += times
            told.exposure += exposure
        else:
            need, artifact = map(self.number, pair)
            self.shown.add(need << 32 | artifact, times, exposure)

    def touched(self, pair: tuple[str, str]) -> Outcomes:
        """Return the outcomes of an edge to be added to, made if there is none."""
        if (found := self._told(pair)) is None:
            found = self.get(pair) or Outcomes()
            self.make(pair, found)
            if (key := self._key(pair)) is not None:
                self.shown.pop(key)
        return found

    def make(self, pair: tuple[str, str], came: Outcomes) -> None:
        """Take an edge of which more is known than how it was shown."""
        need, artifact = pair
        self.told.setdefault(need, {})[artifact] = came

    def number(self, name: str) -> int:
        """Return the number of a need or an artifact, a new one where it has none."""
        if (number := self._numbers.get(name)) is None:
            number = self._numbers[name] = len(self.names)
            self.names.append(name)
        return number

    def pair(self, key: int) -> tuple[str, str]:
        """Return the need and the artifact of an edge that is a column."""
        return self.names[key >> 32], self.names[key & 0xFFFFFFFF]

    def of(self, needs: Collection[str]) -> dict[tuple[str, str], Outcomes]:
        """Return the edges of some needs, and what became of each."""
        # What moves meanwhile moves to what is read next.
        found = {}
        for need in needs:
            if (number := self._numbers.get(need)) is not None:
                for key, row in self.shown.between(number << 32, (number + 1) << 32):
                    found[self.pair(key)] = _only_shown(row)
            for artifact, came in list(self.told.get(need, {}).items()):
                found[need, artifact] = came
        return found

    def __getitem__(self, pair: tuple[str, str]) -> Outcomes:
        if (found := self._told(pair)) is not None:
            return found
        key = self._key(pair)
        if key is None or (row := self.shown.get(key)) is None:
            raise KeyError(pair)
        return _only_shown(row)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        for need, artifacts in self.told.items():
            for artifact in artifacts:
                yield need, artifact
        yield from map(self.pair, self.shown.whole().keys.tolist())

    def __len__(self) -> int:
        return sum(map(len, self.told.values())) + len(self.shown)

    def _told(self, pair: tuple[str, str]) -> Outcomes | None:
        artifacts = self.told.get(pair[0])
        return artifacts.get(pair[1]) if artifacts else None

    def _key(self, pair: tuple[str, str]) -> int | None:
        need, artifact = (self._numbers.get(each) for each in pair)
        return None if need is None or artifact is None else need << 32 | artifact


def _only_shown(row: Row) -> Outcomes:
    return Outcomes(Counter({"shown": row[0]}), exposure=row[1])


class Unmet:
    """Needs that nothing answered; those with the same terms, in any form, are one."""

    def __init__(self) -> None:
        """Know of none."""
        self.groups: dict[str, int] = {}
        """By need, the key of its terms."""
        self._needs: dict[int, dict[str, int]] = {}
        self._shared: set[int] = set()

    def count(self, need: str, unmet: int, group: int | None = None) -> None:
        """Take down how often a need is unmet by now, 0 for no more."""
        if (known := self.groups.get(need, group)) is None:
            known = key_of(*_terms(need))
        needs = self._needs.setdefault(known, {})
        if unmet > 0:
            self.groups[need], needs[need] = known, unmet
        elif needs.pop(need, None):
            del self.groups[need]
        if sum(needs.values()) >= SHARED:
            self._shared.add(known)
        else:
            self._shared.discard(known)
        if not needs:
            del self._needs[known]

    def shared(self) -> list[list[str]]:
        """Return the needs of each group that is unmet often enough to be told of."""
        return [list(self._needs[each]) for each in list(self._shared)]


class MatchGraph:
    """Counts by need, by capability, by artifact, and by the edges between them."""

    def __init__(
        self, events: Iterable[MatchEvent] = (), *, fresh: int = FRESH
    ) -> None:
        """Fold `events`, in the order of the log; see `Columns` for `fresh`."""
        self.needs: dict[str, NeedNode] = {}
        self.artifacts: defaultdict[str, Outcomes] = defaultdict(Outcomes)
        self.capabilities: defaultdict[tuple[str, str], Outcomes]
        self.capabilities = defaultdict(Outcomes)
        self.edges = Edges(fresh)
        self.tried: defaultdict[str, set[str]] = defaultdict(set)
        """The needs of which something came, by slug."""
        self.answers: defaultdict[str, set[str]] = defaultdict(set)
        """The artifacts of which something came, by need."""
        self.matches = 0
        self.outcomes: Counter[str] = Counter()
        """How often each came about, over all artifacts."""
        self.told = 0
        """Outcomes counted so far: what was learned is as old as this."""
        self.texts: dict[str, str] = {}
        self.unmet_needs = Unmet()
        self.ledger = Ledger(fresh)
        for each in events:
            self.fold(each)

    def fold(self, event: MatchEvent) -> None:
        """Take one further event in."""
        key = need_key(event.need)
        if event.outcome in ("shown", "unmet"):
            self._show(event, key)
        elif event.artifact and self._counts(event, key):
            if event.match:
                self.ledger.mark(event.match, Flag.SETTLED)
            self._add(event, key)

    def _show(self, event: MatchEvent, key: str) -> None:
        match, ledger = event.match or event.id, self.ledger
        if ledger.is_(match, Flag.IGNORED):
            return
        if ledger.mark(match, Flag.SEEN):
            source = event.source or ""
            before = ledger.asked.get(source)
            if before and before.key == key and event.at - before.at < RELOAD:
                ledger.mark(match, Flag.IGNORED)
                return
            if before and self._typing(before, key, event.at):
                self._take_back(before)
            ledger.ask(source, Asked(match, key, event.at))
            self._ask(event, key)
        if match in ledger.hits:  # else nothing takes it back any more
            hit = Hit(event.artifact, event.capability, event.outcome, event.position)
            ledger.hits[match].append(hit)
        if event.artifact:
            self._add(event, key)

    def _ask(self, event: MatchEvent, key: str) -> None:
        """Count another match of a need."""
        node = self.needs.setdefault(key, NeedNode(event.need))
        node.text = key if event.need == key else event.need  # one text, not two
        node.last = event.at
        node.matches += 1
        self.matches += 1
        if event.outcome == "unmet":
            node.unmet += 1
            self.unmet_needs.count(key, node.unmet)

    def _typing(self, before: Asked, key: str, at: datetime) -> bool:
        """Return whether the need before was this one, not yet typed to its end."""
        grown = key.startswith(before.key) or before.key.startswith(key)
        return (
            grown
            and at - before.at < BURST
            and not self.ledger.is_(before.match, Flag.SETTLED)
        )

    def _take_back(self, before: Asked) -> None:
        node = self.needs[before.key]
        for each in self.ledger.hits.pop(before.match, ()):
            if each.artifact:
                self._count(each, before.key, before.at, times=-1)
            if each.outcome == "unmet":
                node.unmet -= 1
                self.unmet_needs.count(before.key, node.unmet)
        node.matches -= 1
        self.matches -= 1
        self.ledger.mark(before.match, Flag.IGNORED)
        if node.matches <= 0:
            del self.needs[before.key]

    def _counts(self, event: MatchEvent, key: str) -> bool:
        """Return whether an outcome is another one, and not one too many."""
        artifact = event.artifact or ""
        if event.match:
            told = key_of(event.match, artifact, event.outcome)
            if told in self.ledger.told:
                return False
            self.ledger.told.add(told, 1)
        told = key_of(event.source or "", key, artifact, event.outcome)
        said = self.ledger.said.setdefault(told, [])
        while said and event.at - said[0] >= DAY:
            said.pop(0)
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
        pair = key, hit.artifact
        nodes = [self.artifacts[hit.artifact]]
        if hit.capability:
            nodes.append(self.capabilities[hit.artifact, hit.capability])
        exposure = 0.0
        if hit.outcome == "shown":
            exposure = times / (hit.position or 1)
            self.edges.show(pair, times, exposure)
        else:
            nodes.append(self.edges.touched(pair))
        for node in nodes:
            node.add(hit.outcome, at, times)
            node.exposure += exposure
        self.outcomes[hit.outcome] += times

    def came(self) -> Iterator[tuple[str, str, Outcomes]]:
        """Yield each need and artifact of which something came, in the order of needs.

        What the needs were is in `texts`.
        """
        for key, slugs in list(self.answers.items()):
            for slug in sorted(slugs):
                yield key, slug, self.edges[key, slug]

    def totals(self) -> dict[str, int]:
        """Return how often each outcome came about, over all artifacts."""
        return dict(sorted((+self.outcomes).items()))

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
        found = []
        for keys in self.unmet_needs.shared():
            nodes = [node for key in keys if (node := self.needs.get(key))]
            if (unmet := sum(each.unmet for each in nodes)) >= SHARED:
                most = max(nodes, key=lambda each: (each.unmet, each.text))
                text = most.text if most.unmet >= SHARED else " ".join(_terms(keys[0]))
                matches = sum(each.matches for each in nodes)
                found.append(NeedNode(text, matches, unmet, most.last))
        return heapq.nsmallest(limit, found, key=lambda each: (-each.unmet, each.text))


@lru_cache(maxsize=10_000)
def _terms(key: str) -> tuple[str, ...]:
    """Return the terms of a need in one order; itself if it has none."""
    return tuple(sorted({*analyse(key)})) or (key,)


def need_key(text: str) -> str:
    """Return what two ways of writing the same need share: case and signs are none."""
    return " ".join(re.findall(r"[^\W_]+", text.casefold()))
