"""Rankings of capabilities and their one ordering rule: distinct, best first."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]
"""Capabilities by their number in the catalogue."""

Scores = NDArray[np.float64]


class Ranking(NamedTuple):
    """Capabilities best first, with scores on their retriever's own scale."""

    rows: Rows
    scores: Scores


def firsts(owners: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the places at which each distinct owner comes first, ascending."""
    return np.sort(np.unique(owners, return_index=True)[1])


GROUP = 16
"""Scores of which only the greatest is looked at first."""


def above(scores: NDArray[Any], k: int) -> Rows:
    """Return the places of the k greatest `scores` above 0, ascending.

    What ties with the last of them is among them, and a few more may be: the k-th
    greatest of the greatest of each of many groups is no greater than that of all.
    """
    groups = len(scores) // GROUP
    least = 0.0
    if groups > k:
        tops = np.maximum.reduce(
            scores[: groups * GROUP].reshape(GROUP, groups), axis=0
        )
        least = float(np.partition(tops, groups - k)[groups - k])
    return np.flatnonzero(scores >= least if least > 0 else scores > 0)


def rank(rows: Rows, scores: Scores, k: int) -> Ranking:
    """Return the k best of distinct `rows`, best first, ties by row."""
    candidates: Rows = np.arange(len(rows))
    if k < len(rows):
        # Everything at least as good as the k-th: a partition alone would break
        # ties at the border by chance.
        threshold = np.partition(scores, len(rows) - k)[len(rows) - k]
        candidates = np.flatnonzero(scores >= threshold)
    order = np.lexsort((rows[candidates], -scores[candidates]))
    top = candidates[order[:k]]
    return Ranking(rows[top], scores[top])
