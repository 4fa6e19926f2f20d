"""Facets: what the artifacts that match are, counted, and what they are kept to."""

from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from index.claims import Claims

Facet = Literal["type", "deployment", "pricing", "license", "provider"]
FACETS: tuple[Facet, ...] = get_args(Facet)

Asked = Mapping[str, Collection[str]]
"""By facet, the values of which an artifact must have any."""

Counts = dict[str, int]
"""How many artifacts have each value."""

FIELDS = {"provider": "maker"}
"""Where the claims that a facet counts are not called as it is."""

LICENSES = ("permissive", "copyleft", "restricted", "noncommercial")
"""What licences allow is counted; it can be kept to one of them by its SPDX id, too."""

MOST = 30
"""Values of a facet that are told at most, those of the most artifacts: a catalogue has
thousands of providers."""


class Facets:
    """The facets of the artifacts of one generation."""

    def __init__(self, claims: Claims) -> None:
        """Take what artifacts are from `claims`; what is not stated has no value."""
        self._claims = claims
        self._values = lru_cache(len(FACETS))(self._of)  # made when first counted

    def kept(self, asked: Asked) -> NDArray[np.bool_]:
        """Return which artifacts are known to have a value asked for of each facet."""
        kept = np.ones(self._claims.size, dtype=np.bool_)
        for facet, values in asked.items():
            kept &= np.logical_or.reduce([self._with(facet, each) for each in values])
        return kept

    def counted(self, matching: NDArray[np.int64], asked: Asked) -> dict[str, Counts]:
        """Return how many of the artifacts `matching` have each value, by facet.

        They are kept to what is asked for of the other facets, not of the facet itself:
        a count is what one gets by asking for that value alone. Most frequent first,
        ties by name; a value that is asked for may have none.
        """
        found: dict[str, Counts] = {}
        for facet in FACETS:
            others = {name: asked[name] for name in asked if name != facet}
            among = matching[self.kept(others)[matching]] if others else matching
            counts = self._values(facet).counted(among)
            own = asked.get(facet, ())
            counts |= {each: int(self._with(facet, each)[among].sum()) for each in own}
            ordered = sorted(counts.items(), key=lambda each: (-each[1], each[0]))
            found[facet] = {
                value: count
                for place, (value, count) in enumerate(ordered)
                if place < MOST or value in own
            }
        return found

    def _with(self, facet: str, value: str) -> NDArray[np.bool_]:
        """Return which artifacts are known to have a value."""
        have = np.zeros(self._claims.size, dtype=np.bool_)
        have[self._claims.with_claim(f"{FIELDS.get(facet, facet)}={value}")] = True
        return have

    def _of(self, facet: str) -> "_Values":
        values = self._claims.values(FIELDS.get(facet, facet))
        if facet == "license":
            values = {each: values[each] for each in LICENSES if each in values}
        return _Values(values, self._claims.size)


class _Values:
    """The values of one facet as columns, so that few artifacts are quickly counted."""

    def __init__(self, positions: Mapping[str, NDArray[np.int32]], size: int) -> None:
        """Take the `positions` that have each value, of a catalogue of `size`."""
        self._names = list(positions)
        lengths = [len(each) for each in positions.values()]
        owners = np.concatenate([*positions.values(), np.zeros(0, dtype=np.int32)])
        order = np.argsort(owners, kind="stable")
        self._numbers = np.repeat(np.arange(len(lengths)), lengths)[order]
        self._starts = np.searchsorted(owners[order], np.arange(size + 1))

    def counted(self, artifacts: NDArray[np.int64]) -> Counts:
        """Return how many of `artifacts` have each value; what none has is left out."""
        starts = self._starts[artifacts]
        lengths = self._starts[artifacts + 1] - starts
        ends = np.cumsum(lengths)
        places = np.arange(lengths.sum()) + np.repeat(starts - ends + lengths, lengths)
        counts = np.bincount(self._numbers[places], minlength=len(self._names))
        return {
            self._names[each]: int(counts[each])
            for each in np.flatnonzero(counts).tolist()
        }
