"""Rank: an artifact's standing, from five components, independent of any need."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import urlsplit

import numpy as np

from index.artifact import Artifact
from index.claims import stated
from index.generation import Generation
from index.scales import newest
from search.graph import Outcomes, Z

VERSION = "1"
"""Of the formula. Another formula has another version."""

WEIGHTS = {
    "adoption": 0.25,
    "quality": 0.25,
    "ecosystem": 0.10,
    "match": 0.25,
    "freshness": 0.15,
}

UNKNOWN = (0.05, 0.95)
"""Where nine tenths of what an unknown component may be lie, all of [0, 1] alike."""

NEEDED = ("dependents",)
"""Signals that tell how many others need an artifact: of its ecosystem."""

YEAR = 365.25
"""Days in which freshness halves, and a figure counts for half an observation."""

MAINTAINED = ((1, 1.0), (2, 0.5))
"""Years since the last update, and how well kept that is; later ones are not."""

NAMED = 3
"""Artifacts that name one and are named in turn; of more the number is given."""

DRAWS = 10_000
"""Weightings drawn, seeded, to say for how many of them one is ahead."""

REMEMBERED = 1024
"""Artifacts whose rank is remembered: those that are shown are shown again."""


class Source(NamedTuple):
    """Where an observation is from, and the day it was read there, if recorded."""

    text: str
    address: str | None
    as_of: date | None


@dataclass(frozen=True, slots=True)
class Component:
    """One part of a rank in [0, 1], from `n` observations, each counted by its age.

    `value`, `low` and `high`, its 90 % interval, are None where nothing is known.
    """

    name: str
    weight: float
    value: float | None = None
    low: float | None = None
    high: float | None = None
    n: float = 0.0
    sources: tuple[Source, ...] = ()

    @property
    def interval(self) -> tuple[float, float] | None:
        """The interval, None where nothing is known."""
        return None if self.low is None or self.high is None else (self.low, self.high)


@dataclass(frozen=True, slots=True)
class Rank:
    """A rank in [0, 100] with its 90 % interval, and what it is made of.

    The value is the mean of the known components by their weights, None if none is.
    """

    value: float | None
    low: float | None
    high: float | None
    components: tuple[Component, ...]
    version: str = VERSION

    @property
    def interval(self) -> tuple[float, float] | None:
        """The interval, None where nothing is known."""
        return None if self.low is None or self.high is None else (self.low, self.high)

    def parts(self) -> list[tuple[str, float]]:
        """Return each known component's share of the value; they add up to it."""
        known = [each for each in self.components if each.value is not None]
        total = sum(each.weight for each in known)
        return [(e.name, 100 * e.weight / total * (e.value or 0.0)) for e in known]


class Ranks:
    """The ranks of one generation's artifacts on one day."""

    def __init__(self, generation: Generation, today: date) -> None:
        """Rank what `generation` records, as old as it is on the day `today`."""
        self._generation = generation
        self.today = today
        self._most = generation.mentions.most()
        self._lasting = lru_cache(maxsize=REMEMBERED)(self._recorded)

    def of(self, position: int, came: Outcomes | None = None) -> Rank:
        """Return the rank of an artifact; `came` is what became of its hits."""
        adoption, quality, ecosystem, freshness = self._lasting(position)
        return combined((adoption, quality, ecosystem, _match(came), freshness))

    def _recorded(self, position: int) -> tuple[Component, ...]:
        """Return the components that only another day or generation changes."""
        artifact = self._generation.catalog.at(position)
        return (
            self._adoption(artifact),
            self._quality(artifact),
            self._ecosystem(artifact, position),
            self._freshness(artifact),
        )

    def _adoption(self, artifact: Artifact) -> Component:
        signals = [
            each
            for each in newest(artifact.signals).values()
            if each.name not in NEEDED
        ]
        shares = [self._generation.scales.share(artifact.type, e) for e in signals]
        ages = [self._years(each.as_of) for each in signals]
        sources = tuple(
            Source(f"{each.value:,.10g} {each.name}", each.source, each.as_of)
            for each in signals
        )
        return _observed("adoption", shares, [0.5**age for age in ages], sources)

    def _quality(self, artifact: Artifact) -> Component:
        """Return licence, documentation and maintenance of the artifact, as known.

        A licence as OSI has it counts 1, a restricted one half; documentation that a
        source of the record stands in counts 1; an update within a year 1, within two
        half, before 0. What no record says is not an observation.
        """
        shares: list[float] = []
        sources: list[Source] = []
        if artifact.license:
            free = "license=open_source" in stated(artifact)
            proof = artifact.evidence.get("license")
            shares.append(1.0 if free else 0.5)
            sources.append(
                Source(
                    f"licence {artifact.license}",
                    proof.source if proof else None,
                    proof.as_of if proof else None,
                )
            )
        if documentation := _documentation(artifact):
            shares.append(1.0)
            sources.append(Source("documentation", documentation, None))
        if artifact.updated_at:
            years = self._years(artifact.updated_at)
            kept = next((share for most, share in MAINTAINED if years <= most), 0.0)
            shares.append(kept)
            sources.append(Source("last update", _home(artifact), artifact.updated_at))
        return _observed("quality", shares, [1.0] * len(shares), tuple(sources))

    def _ecosystem(self, artifact: Artifact, position: int) -> Component:
        """Return how many others name or need it, on logarithmic scales.

        That no record of this catalogue names it proves nothing: others may.
        """
        catalog = self._generation.catalog
        by = self._generation.mentions.by(position)
        shares: list[float] = []
        counts: list[float] = []
        sources: list[Source] = []
        if len(by):
            shares.append(math.log1p(len(by)) / math.log1p(self._most))
            counts.append(float(len(by)))
            names = [catalog.at(int(each)).name for each in by[:NAMED]]
            left = len(by) - len(names)
            more = f" and {left} more" if left else ""
            sources.append(Source(f"named by {', '.join(names)}{more}", None, None))
        for each in newest(artifact.signals).values():
            if each.name in NEEDED:
                shares.append(self._generation.scales.share(artifact.type, each))
                counts.append(0.5 ** self._years(each.as_of))
                sources.append(
                    Source(f"{each.value:,.10g} {each.name}", each.source, each.as_of)
                )
        return _observed("ecosystem", shares, counts, tuple(sources))

    def _freshness(self, artifact: Artifact) -> Component:
        """Return 1 for an update today, half of it for each year since.

        It may have been updated since the record was read: the longer ago that is, the
        further the interval reaches up.
        """
        if artifact.updated_at is None:
            return Component("freshness", WEIGHTS["freshness"])
        value = 0.5 ** self._years(artifact.updated_at)
        dates = [each.as_of for each in artifact.evidence.values() if each.as_of]
        unseen = 1 - 0.5 ** self._years(max([*dates, artifact.updated_at]))
        return Component(
            "freshness",
            WEIGHTS["freshness"],
            value,
            value,
            value + (1 - value) * unseen,
            1.0,
            (Source("last update", _home(artifact), artifact.updated_at),),
        )

    def _years(self, day: date | None) -> float:
        return max(0, (self.today - day).days) / YEAR if day else 0.0


def _home(artifact: Artifact) -> str | None:
    return artifact.repository or artifact.url


def _documentation(artifact: Artifact) -> str | None:
    """Return the first of the record's addresses that is one of documentation."""
    own = [each.source for each in artifact.capabilities]
    for address in dict.fromkeys(filter(None, (*artifact.sources, *own))):
        parts = urlsplit(address)
        host = (parts.hostname or "").split(".")
        path = parts.path.casefold().split("/")
        if {"docs", "doc", "documentation", "developer", "developers"} & {*host, *path}:
            return address
    return None


def _match(came: Outcomes | None) -> Component:
    """Return how often it worked, by those who said."""
    success = came.success() if came else None
    if came is None or success is None:
        return Component("match", WEIGHTS["match"])
    said = f"{came.counts['worked']} said it worked, {came.counts['failed']} it failed"
    return Component(
        "match",
        WEIGHTS["match"],
        success.value,
        success.low,
        success.high,
        success.n,
        (Source(said, None, came.last.date() if came.last else None),),
    )


def _observed(
    name: str,
    shares: Sequence[float],
    counts: Sequence[float],
    sources: tuple[Source, ...],
) -> Component:
    """Return the mean of shares by their counts, with the interval of Wilson (1927)."""
    n = sum(counts)
    if n <= 0:
        return Component(name, WEIGHTS[name])
    mean = sum(s * c for s, c in zip(shares, counts, strict=True)) / n
    spread = 1 + Z * Z / n
    middle = (mean + Z * Z / (2 * n)) / spread
    half = Z / spread * math.sqrt(mean * (1 - mean) / n + Z * Z / (4 * n * n))
    low, high = max(0.0, middle - half), min(1.0, middle + half)
    return Component(
        name, WEIGHTS[name], mean, min(low, mean), max(high, mean), n, sources
    )


def combined(components: tuple[Component, ...]) -> Rank:
    """Return the rank of `components`: the mean of those known, by weight.

    An unknown one is left out and widens the interval by what it could be; deviations
    add up like those of independent errors.
    """
    known = [each for each in components if each.value is not None]
    if not known:
        return Rank(None, None, None, components)
    every = sum(each.weight for each in components)
    total = sum(each.weight for each in known)
    value = sum(each.weight * (each.value or 0.0) for each in known) / total
    below = above = 0.0
    for each in components:
        low, high = each.interval or UNKNOWN
        own = value if each.value is None else each.value
        below += (each.weight / every * max(0.0, own - low)) ** 2
        above += (each.weight / every * max(0.0, high - own)) ** 2
    return Rank(
        100 * value,
        100 * max(0.0, value - math.sqrt(below)),
        100 * min(1.0, value + math.sqrt(above)),
        components,
    )


class Weightings(NamedTuple):
    """The shares of all weightings of `components` for which each is ahead."""

    a: float
    b: float
    components: int


def ahead(a: Rank, b: Rank) -> Weightings | None:
    """Return for which share of all weightings each is ahead; ties are in neither.

    Over the components known of both; weightings are drawn uniformly from all that
    add up to 1. None if no component is known of both.
    """
    pairs = [
        (mine.value, other.value)
        for mine, other in zip(a.components, b.components, strict=True)
        if mine.value is not None and other.value is not None
    ]
    if not pairs:
        return None
    gaps = np.array([mine - other for mine, other in pairs])
    drawn = np.random.default_rng(0).dirichlet(np.ones(len(gaps)), DRAWS) @ gaps
    return Weightings(float((drawn > 0).mean()), float((drawn < 0).mean()), len(gaps))
