"""Rankings of capabilities and their one ordering rule: distinct, best first."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]
"""Capabilities by their number in the catalogue."""

Scores = NDArray[np.float64]


class Ranking(NamedTuple):
    """Capabilities with scores on their retriever's own scale, best first by `rank`."""

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


def first(rows: Rows, scores: Scores, k: int) -> Ranking:
    """Return the k best of distinct `rows`, ties by row, in the order given."""
    if k >= len(rows):
        return Ranking(rows, scores)
    least = np.partition(scores, len(rows) - k)[len(rows) - k]
    kept = scores > least
    # A partition alone would break ties at the border by chance.
    ties = np.flatnonzero(scores == least)
    kept[ties[np.argsort(rows[ties])][: k - np.count_nonzero(kept)]] = True
    return Ranking(rows[kept], scores[kept])


def merge(parts: Sequence[Ranking], k: int) -> Ranking:
    """Return the k best of all `parts`, in any order.

    The k best of the whole, if each part, which shares no row with another, holds its
    own k best: so they are the same into however many parts the whole is cut.
    """
    rows = np.concatenate([each.rows for each in parts])
    return first(rows, np.concatenate([each.scores for each in parts]), k)


def rank(rows: Rows, scores: Scores, k: int) -> Ranking:
    """Return the k best of distinct `rows`, best first, ties by row."""
    best = first(rows, scores, k)
    order = np.lexsort((best.rows, -best.scores))
    return Ranking(best.rows[order], best.scores[order])
