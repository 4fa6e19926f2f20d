"""The match graph: needs, capabilities and artifacts, folded from the event log."""

import math
import re
from collections import Counter, defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from index.events import MatchEvent

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


class _Asked(NamedTuple):
    match: str
    key: str
    at: datetime


class MatchGraph:
    """Counts by need, by capability, by artifact, and by the edges between them."""

    def __init__(self, events: Iterable[MatchEvent] = ()) -> None:
        """Fold `events`, in the order of the log."""
        self.needs: dict[str, NeedNode] = {}
        self.artifacts: defaultdict[str, Outcomes] = defaultdict(Outcomes)
        self.capabilities: defaultdict[tuple[str, str], Outcomes]
        self.capabilities = defaultdict(Outcomes)
        self.edges: defaultdict[tuple[str, str], Outcomes] = defaultdict(Outcomes)
        self.tried: defaultdict[str, set[str]] = defaultdict(set)
        """The needs of which something came, by slug."""
        self.answers: defaultdict[str, set[str]] = defaultdict(set)
        """The artifacts of which something came, by need."""
        self.matches = 0
        self.told = 0
        """Outcomes counted so far: what was learned is as old as this."""
        self.texts: dict[str, str] = {}
        self._asked: dict[str, _Asked] = {}
        self._hits: dict[str, list[MatchEvent]] = {}
        self._seen: set[str] = set()
        self._settled: set[str] = set()
        self._ignored: set[str] = set()
        self._told: set[tuple[str, str, str]] = set()
        self._said: defaultdict[tuple[str, str, str, str], deque[datetime]]
        self._said = defaultdict(deque)
        for each in events:
            self.fold(each)

    def fold(self, event: MatchEvent) -> None:
        """Take one further event in."""
        key = need_key(event.need)
        if event.outcome in ("shown", "unmet"):
            self._show(event, key)
        elif event.artifact and self._counts(event, key):
            if event.match:
                self._settled.add(event.match)
            self._add(event, key)

    def _show(self, event: MatchEvent, key: str) -> None:
        match = event.match or event.id
        if match in self._ignored:
            return
        if match not in self._seen:
            self._seen.add(match)
            source = event.source or ""
            before = self._asked.get(source)
            if before and before.key == key and event.at - before.at < RELOAD:
                self._ignored.add(match)
                return
            if before and self._typing(before, key, event.at):
                self._take_back(before)
            elif before:
                self._hits.pop(before.match, None)  # nothing takes it back any more
            self._asked[source] = _Asked(match, key, event.at)
            self._hits[match] = []
            node = self.needs.setdefault(key, NeedNode(event.need))
            node.text, node.last = event.need, event.at
            node.matches += 1
            node.unmet += event.outcome == "unmet"
            self.matches += 1
        self._hits.setdefault(match, []).append(event)
        if event.artifact:
            self._add(event, key)

    def _typing(self, before: _Asked, key: str, at: datetime) -> bool:
        """Return whether the need before was this one, not yet typed to its end."""
        grown = key.startswith(before.key) or before.key.startswith(key)
        return grown and at - before.at < BURST and before.match not in self._settled

    def _take_back(self, before: _Asked) -> None:
        for each in self._hits.pop(before.match, ()):
            if each.artifact:
                self._add(each, before.key, times=-1)
            if each.outcome == "unmet":
                self.needs[before.key].unmet -= 1
        node = self.needs[before.key]
        node.matches -= 1
        self.matches -= 1
        self._ignored.add(before.match)
        if node.matches <= 0:
            del self.needs[before.key]

    def _counts(self, event: MatchEvent, key: str) -> bool:
        """Return whether an outcome is another one, and not one too many."""
        if event.match:
            told = (event.match, event.artifact or "", event.outcome)
            if told in self._told:
                return False
            self._told.add(told)
        said = self._said[event.source or "", key, event.artifact or "", event.outcome]
        while said and event.at - said[0] >= DAY:
            said.popleft()
        if len(said) >= CAP and event.match:
            return False
        said.append(event.at)
        return True

    def _add(self, event: MatchEvent, key: str, times: int = 1) -> None:
        assert event.artifact
        nodes = [self.artifacts[event.artifact], self.edges[key, event.artifact]]
        if event.capability:
            nodes.append(self.capabilities[event.artifact, event.capability])
        for node in nodes:
            node.add(event.outcome, event.at, times)
            if event.outcome == "shown":
                node.exposure += times / (event.position or 1)
        if event.outcome != "shown":
            self.told += 1
            self.tried[event.artifact].add(key)
            self.answers[key].add(event.artifact)
            self.texts[key] = event.need

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

        Only those that enough distinct matches share: what one person typed is nobody
        else's business.
        """
        shared = (each for each in self.needs.values() if each.unmet >= SHARED)
        return sorted(shared, key=lambda each: (-each.unmet, each.text))[:limit]


def need_key(text: str) -> str:
    """Return what two ways of writing the same need share: case and signs are none."""
    return " ".join(re.findall(r"[^\W_]+", text.casefold()))
