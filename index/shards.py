"""The shards of a catalogue: consecutive artifacts, which a build indexes one by one.

Where a shard ends depends on the catalogue alone, never on who builds: any number of
workers makes the same parts of the same shards.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from index.artifact import Artifact
from index.catalog import Catalog, digest

SIZE = 5_000
"""Capabilities of a shard, give or take those of one artifact. Each has its own list of
terms: of half the size they take a quarter more room, and hardly more time."""


class Shard:
    """Consecutive artifacts; another process gets their lines, and parses them."""

    def __init__(
        self, lines: Sequence[bytes], artifacts: Sequence[Artifact] | None = None
    ) -> None:
        """Hold the canonical `lines` of `artifacts`, parsed here if not given."""
        self._lines = lines
        self.artifacts = artifacts or [*map(Artifact.model_validate_json, lines)]

    def __reduce__(self) -> tuple[Callable[..., "Shard"], tuple[Any, ...]]:
        return Shard, (self._lines,)

    @property
    def size(self) -> int:
        """The number of capabilities."""
        return sum(len(each.capabilities) for each in self.artifacts)

    @property
    def digest(self) -> str:
        """SHA-256 of the lines: what is made of them may be named by it."""
        return digest(self._lines)


def cut(catalog: Catalog, size: int = SIZE) -> list[Shard]:
    """Return the shards of `catalog`, in its order, of about `size` capabilities."""
    numbers = catalog.starts[:-1] // size
    firsts = np.unique(numbers, return_index=True)[1].tolist()
    ends = [*firsts[1:], len(catalog)]
    return [
        Shard(catalog.lines(first, end), [*map(catalog.at, range(first, end))])
        for first, end in zip(firsts, ends, strict=True)
    ]
