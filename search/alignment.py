"""Alignment: which capability of one artifact answers to which of another."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from index.generation import Generation
from index.hits import Scores
from index.keyword import analyse

BACKGROUND, FAMILIARITY = 0.45, 1.0
"""The cosine that two capabilities of one field have anyway, and for how many pairs of
the two artifacts it counts beside them."""

CONSTANT, WEIGHTS = -4.93, np.array([11.8, 18.15, 0.83])
"""Of the logistic model, fitted by bench/alignment.py to hand-labelled pairs."""

CUT_OFF = 0.5
"""Likelihood from which on two capabilities are said to do the same, at least in part:
more likely than not. Of the pairs it leaves 87 in 100 are right; .2 would find more,
and be right in 70."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two capabilities by row, their cosine, and how likely they do the same."""

    a: int
    b: int
    similarity: float
    likelihood: float


@dataclass(frozen=True, slots=True)
class Alignment:
    """Capabilities of two artifacts: in pairs, the likeliest first, and left over."""

    both: tuple[Pair, ...]
    only_a: tuple[int, ...]
    only_b: tuple[int, ...]

    def mirrored(self) -> "Alignment":
        """Return it seen from the other artifact."""
        both = tuple(Pair(e.b, e.a, e.similarity, e.likelihood) for e in self.both)
        return Alignment(both, self.only_b, self.only_a)


class Aligner:
    """Aligns the artifacts of one generation by the vectors that are in it."""

    def __init__(self, generation: Generation) -> None:
        """Align by the vectors and words of `generation`; nothing is encoded."""
        self._generation = generation
        self._terms = lru_cache(maxsize=4096)(self._terms_of)

    def align(self, a: int, b: int) -> Alignment:
        """Return the best one-to-one assignment between two artifacts' capabilities.

        It maximises how far the likelihoods of its pairs exceed CUT_OFF; a pair below
        it is none. `align(b, a)` is the mirror image.
        """
        from scipy.optimize import linear_sum_assignment  # 0.2 s, not for searches

        if a > b:
            return self.align(b, a).mirrored()
        rows, columns = self.rows(a), self.rows(b)
        cosines, likelihoods = self.likelihoods(rows, columns)
        chosen = linear_sum_assignment(-np.maximum(likelihoods - CUT_OFF, 0))
        pairs = [
            Pair(rows[i], columns[j], float(cosines[i, j]), float(likelihoods[i, j]))
            for i, j in zip(*(each.tolist() for each in chosen), strict=True)
            if likelihoods[i, j] >= CUT_OFF
        ]
        pairs.sort(key=lambda each: (-each.likelihood, each.a, each.b))
        return _left_over(pairs, rows, columns)

    def covered(self, a: int, b: int) -> Alignment:
        """Return for each capability of `a` the likeliest of `b`, if one is likely.

        Unlike in `align`, one of `b` may answer to several: who replaces `a` by it asks
        what is still done, not which is which.
        """
        rows, columns = self.rows(a), self.rows(b)
        cosines, likelihoods = self.likelihoods(rows, columns)
        pairs = [
            Pair(row, columns[j], float(cosines[i, j]), float(likelihoods[i, j]))
            for i, row in enumerate(rows)
            if likelihoods[i, j := int(likelihoods[i].argmax())] >= CUT_OFF
        ]
        return _left_over(pairs, rows, columns)

    def rows(self, position: int) -> list[int]:
        """Return the capabilities of an artifact."""
        starts = self._generation.catalog.starts
        return [*range(int(starts[position]), int(starts[position + 1]))]

    def likelihoods(
        self, rows: Sequence[int], columns: Sequence[int]
    ) -> tuple[Scores, Scores]:
        """Return cosine and likelihood of each pair, both of shape (rows, columns).

        The likelihood is a logistic function of three measures: the words that names
        and intents share, how much nearer the two are than either is to the other
        capabilities of the other's artifact, for two artifacts of one field are alike
        in everything, and what they take and give.
        """
        cosines, measures = self.measures(rows, columns)
        return cosines, 1 / (1 + np.exp(-CONSTANT - measures @ WEIGHTS))

    def measures(
        self, rows: Sequence[int], columns: Sequence[int]
    ) -> tuple[Scores, Scores]:
        """Return the mean cosines of views, and the measures, the last axis three.

        These are words shared and nearness, each at most 1, and the shares of inputs
        and of outputs, added up.
        """
        vectors = self._generation.vector.vectors
        cosines = np.einsum("ik,jk->ij", vectors[rows], vectors[columns])
        cosines = cosines.astype(np.float64)
        nearness = cosines - (_others(cosines) + _others(cosines.T).T) / 2
        pairs = np.array(
            [[self._shared(row, column) for column in columns] for row in rows]
        )
        return cosines, np.dstack([pairs[..., 0], nearness, pairs[..., 1]])

    def _shared(self, row: int, other: int) -> tuple[float, float]:
        """Return the Jaccard index of two capabilities' terms, weighed by rarity.

        Then that of their inputs plus that of their outputs, half where unknown.
        """
        own, others = self._terms(row), self._terms(other)
        words = 0.0
        if common := own.keys() & others.keys():
            both = sum(own[term] for term in common)
            words = both / (sum(own.values()) + sum(others.values()) - both or 1.0)
        capability = self._generation.catalog.capability
        a, b = capability(row), capability(other)
        return words, _overlap(a.inputs, b.inputs) + _overlap(a.outputs, b.outputs)

    def _terms_of(self, row: int) -> dict[str, float]:
        """Return the terms of a capability's name and intents, by their idf."""
        index, catalog = self._generation.keyword, self._generation.catalog
        capability = catalog.capability(row)
        terms = analyse(". ".join([capability.name, *capability.intents]))
        size = catalog.capability_count
        return {e: math.log((size + 1) / (index.frequency(e) + 1)) for e in set(terms)}


def _left_over(
    pairs: Sequence[Pair], rows: Sequence[int], columns: Sequence[int]
) -> Alignment:
    used_a, used_b = {each.a for each in pairs}, {each.b for each in pairs}
    return Alignment(
        tuple(pairs),
        tuple(each for each in rows if each not in used_a),
        tuple(each for each in columns if each not in used_b),
    )


def _overlap(a: Sequence[str], b: Sequence[str]) -> float:
    return len({*a} & {*b}) / len({*a, *b}) if a and b else 0.5


def _others(cosines: NDArray[np.float64]) -> Scores:
    """Return for each pair the mean cosine of its row to all other columns."""
    columns = cosines.shape[1]
    total = cosines.sum(axis=1, keepdims=True) - cosines + FAMILIARITY * BACKGROUND
    others: Scores = total / (columns - 1 + FAMILIARITY)
    return others
