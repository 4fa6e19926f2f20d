"""Rows of numbers by a number: few are objects, the rest columns."""

from collections.abc import Iterator
from functools import lru_cache
from hashlib import blake2b
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

FRESH = 4096
"""Rows that are objects at most; so many become columns in some milliseconds."""

LARGEST = 2**19
"""Rows of the largest run: more take longer than a request should wait."""

Row = list[Any]


class Run(NamedTuple):
    """Columns of values, by keys that ascend; a row whose first value is 0 is none."""

    keys: NDArray[np.int64]
    values: tuple[NDArray[Any], ...]


class Columns:
    """Rows of numbers, each by a key, which is a number too.

    What is added becomes columns from time to time: a row takes some tens of bytes,
    not some hundreds. A row whose first value is 0 is none. One thread adds; others may
    look meanwhile.
    """

    def __init__(self, *kinds: type[np.number[Any]], fresh: int = FRESH) -> None:
        """Have no row; `kinds` are of the values of one, `fresh` rows stay objects."""
        self._kinds = kinds
        self._most = fresh
        self._fresh: dict[int, Row] = {}
        self._runs: tuple[Run, ...] = ()
        self._highest = -1

    def fill(self, keys: NDArray[np.int64], *values: NDArray[Any]) -> None:
        """Take rows in whose keys ascend and are none of those that are there."""
        self._append(Run(keys, values))

    def get(self, key: int) -> Row | None:
        """Return the values of a row; None if there is none."""
        # What is fresh becomes a column before it is fresh no more.
        if (row := self._fresh.get(key)) is not None:
            return [*row]
        found = self._find(key)
        return [each[found[1]].item() for each in found[0].values] if found else None

    def add(self, key: int, *values: float) -> None:
        """Add to the values of a row, which are 0 where it is none yet."""
        if (row := self._fresh.get(key)) is not None:
            row[:] = [a + b for a, b in zip(row, values, strict=True)]
            if not row[0]:
                del self._fresh[key]
        elif found := self._find(key):
            for column, value in zip(found[0].values, values, strict=True):
                column[found[1]] += value
        else:
            self._fresh[key] = [*values]
            if len(self._fresh) >= self._most:
                self._append(self._frozen())
                self._fresh = {}

    def pop(self, key: int) -> Row | None:
        """Remove a row, and return its values; None if there is none."""
        if (row := self.get(key)) is not None and self._fresh.pop(key, None) is None:
            run, place = self._find(key) or (None, 0)
            assert run
            run.values[0][place] = 0
        return row

    def between(self, first: int, end: int) -> Iterator[tuple[int, Row]]:
        """Yield the rows from key `first` up to before `end`, in no order."""
        for key, row in list(self._fresh.items()):
            if first <= key < end:
                yield key, [*row]
        for run in self._runs:
            a, b = run.keys.searchsorted([first, end]).tolist()
            if a < b:
                columns = [each[a:b].tolist() for each in run.values]
                for key, *row in zip(run.keys[a:b].tolist(), *columns, strict=True):
                    if row[0]:
                        yield key, row

    def whole(self) -> Run:
        """Return all rows as one run."""
        return _merged(*self._runs, self._frozen())

    def __contains__(self, key: int) -> bool:
        return key in self._fresh or self._find(key) is not None

    def __len__(self) -> int:
        live = (np.count_nonzero(each.values[0]) for each in self._runs)
        return len(self._fresh) + sum(map(int, live))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Columns):
            return NotImplemented
        mine, its = self.whole(), other.whole()
        return all(
            np.array_equal(a, b)
            for a, b in zip(
                (mine.keys, *mine.values), (its.keys, *its.values), strict=True
            )
        )

    __hash__ = None  # type: ignore[assignment]  # it changes

    def _find(self, key: int) -> tuple[Run, int] | None:
        if key > self._highest:  # as of a need that is new
            return None
        for run in self._runs:
            row = int(run.keys.searchsorted(key))
            if row < len(run.keys) and run.keys[row] == key and run.values[0][row]:
                return run, row
        return None

    def _frozen(self) -> Run:
        """Return what is fresh as a run."""
        rows = list(self._fresh.items())
        keys = np.array([key for key, _ in rows], dtype=np.int64)
        values = tuple(
            np.array([row[number] for _, row in rows], dtype=kind)
            for number, kind in enumerate(self._kinds)
        )
        return _merged(Run(keys, values))

    def _append(self, run: Run) -> None:
        """Take a run in, each at least twice as long as the next, so that few are."""
        self._highest = max(self._highest, int(run.keys.max(initial=-1)))
        runs = [*self._runs, run]
        while (
            len(runs) > 1
            and len(runs[-2].keys) < 2 * len(runs[-1].keys)
            and len(runs[-2].keys) + len(runs[-1].keys) <= LARGEST
        ):
            runs[-2:] = [_merged(*runs[-2:])]
        self._runs = tuple(runs)


def _merged(*runs: Run) -> Run:
    """Return the rows of all runs that are any as one run."""
    keys = np.concatenate([each.keys for each in runs])
    columns = zip(*(each.values for each in runs), strict=True)
    values = [np.concatenate(each) for each in columns]
    order = keys.argsort(kind="stable")  # which takes runs as they are
    order = order[values[0][order] != 0]
    return Run(keys[order], tuple(each[order] for each in values))


@lru_cache(maxsize=1024)
def key_of(*parts: str) -> int:
    """Return a number for texts, the same everywhere: 63 bits of a BLAKE2b.

    Of ten million, two have the same one in one log of two hundred thousand.
    """
    digest = blake2b(repr(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest) >> 1
