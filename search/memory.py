"""What past needs teach: what worked for needs like this one may work again."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from weakref import ref

import numpy as np
from numpy.typing import NDArray

from index.catalog import Catalog
from index.disk import sync
from index.hits import Scores
from index.vector import Neighbours
from search.graph import MatchGraph

NEIGHBOURS, SHARPNESS, PRIOR = 100, 10, 0.1
"""Past needs that vote, the power of their cosine that they vote with, and the votes
for nothing at all: a few faint likenesses prove little."""

SHRINKAGE = 2.0
"""Past needs that an artifact needs for half of its vote to count."""

LIKE = 0.75
"""Cosine from which on a past need is said to be like another."""

WEIGHT, UNSEEN = 2.5, 0.3
"""Of a vote, in units of the best score of the need; and what is left of it where the
content's favourite has no past: votes cannot speak for what nobody could try."""

FIRST, DECAY = 0.35, 1.2
"""How often the artifact at a content rank is right, FIRST / rank ** DECAY: the share
of the vote that it would get if the past said no more than the content. Near what two
sets of judged needs show; chosen, as all above, on these two, so that an artifact
without a past loses little."""


Vector = NDArray[np.float32]


class Lesson(NamedTuple):
    """A past need, its vector, and how right each artifact was for it, by position."""

    text: str
    vector: Vector
    worked: Mapping[int, float]

    @property
    def right(self) -> list[int]:
        """The artifacts that were at least half as right as the one most so."""
        least = max(self.worked.values()) / 2
        return [each for each, share in self.worked.items() if share >= least]


class Told(NamedTuple):
    """Of `n` outcomes told for needs like one, how many said that it worked."""

    worked: int
    n: int


@dataclass(frozen=True)
class _Learned:
    told_by: tuple[ref[MatchGraph], int]
    texts: list[str]
    vectors: NDArray[np.float32]
    needs: Neighbours
    worked: list[dict[int, float]]
    seen: Scores
    told: list[dict[int, Told]]


class Memory:
    """The past needs of one log, as vectors of one encoder over one catalogue."""

    def __init__(self, catalog: Catalog, encode: Callable[[str], Vector]) -> None:
        """Know nothing yet; `encode` gives the unit vector of a need's text."""
        self._catalog = catalog
        self._encode = encode
        self._vectors: dict[bytes, NDArray[np.float32]] = {}
        self._learned: _Learned | None = None

    def learn(
        self,
        graph: MatchGraph,
        tick: Callable[[int, int], None] = lambda done, total: None,
    ) -> bool:
        """Take in what worked in `graph`; return whether anything was new.

        Each need is encoded once; `tick` is told how many of the new ones are. Raises
        EncoderError if one cannot be; what was known before is known still.
        """
        told_by = ref(graph), graph.told
        if self._learned and self._learned.told_by == told_by:
            return False
        worked: dict[str, dict[int, float]] = {}
        told: dict[str, dict[int, Told]] = {}
        for key, slug, came in graph.came():
            if slug not in self._catalog:
                continue
            position = self._catalog.position(slug)
            if (value := came.right()) > 0:
                worked.setdefault(key, {})[position] = value
            if n := came.counts["worked"] + came.counts["failed"]:
                said = told.setdefault(key, {})
                said[position] = Told(came.counts["worked"], n)
        if not worked:
            self._learned = None
            return False
        needs = [graph.texts[key] for key in worked]
        digests = [*map(_digest, needs)]
        texts = dict(zip(digests, needs, strict=True))
        new = [digest for digest in texts if digest not in self._vectors]
        for done, digest in enumerate(new, start=1):
            self._vectors[digest] = self._encode(texts[digest])
            tick(done, len(new))
        self._vectors = {each: self._vectors[each] for each in texts}
        vectors = np.stack([self._vectors[each] for each in digests])
        seen = np.zeros(len(self._catalog))
        for own in worked.values():
            seen[list(own)] += list(own.values())
        self._learned = _Learned(
            told_by,
            needs,
            vectors,
            Neighbours(vectors, self._learned.needs if self._learned else None),
            list(worked.values()),
            seen,
            [told.get(key, {}) for key in worked],
        )
        return True

    def told(self, vector: Vector) -> dict[int, Told]:
        """Return what was told for needs like one, of each artifact by position."""
        learned = self._learned
        told: dict[int, Told] = {}
        if learned is None:
            return told
        near, cosines = learned.needs.search(vector, NEIGHBOURS)
        for need in near[cosines >= LIKE].tolist():
            for position, each in learned.told[need].items():
                before = told.get(position, Told(0, 0))
                told[position] = Told(before.worked + each.worked, before.n + each.n)
        return told

    @property
    def outcomes(self) -> int:
        """How many outcomes of the log were learned from, 0 if nothing was."""
        return self._learned.told_by[1] if self._learned else 0

    @property
    def knows(self) -> bool:
        """Whether anything was learned."""
        return self._learned is not None

    def lessons(self) -> list[Lesson]:
        """Return all needs of which it is known what worked, as they were logged."""
        if self._learned is None:
            return []
        learned = self._learned
        return [*map(Lesson, learned.texts, learned.vectors, learned.worked)]

    @contextmanager
    def silent(self) -> Iterator[None]:
        """Know nothing for a while."""
        learned, self._learned = self._learned, None
        try:
            yield
        finally:
            self._learned = learned

    def forget(self) -> None:
        """Know nothing again; vectors of needs stay."""
        self._learned = None

    def lift(self, vector: Vector, artifacts: NDArray[np.int64]) -> Scores:
        """Return what the past adds to each of `artifacts`, best by content first.

        An artifact's share of the votes of like needs, minus the share expected of its
        content rank, shrunk towards nothing where few past needs tell of it, or of
        the content's favourite: an artifact without a past gains and loses nothing
        itself, and what has one does not drown it. In units of the best score.
        """
        learned = self._learned
        if learned is None:
            return np.zeros(len(artifacts))
        near, cosines = learned.needs.search(vector, NEIGHBOURS)
        votes = np.clip(cosines, 0, 1) ** SHARPNESS
        total = votes.sum()
        known = total / (total + PRIOR)
        cast = np.zeros(len(self._catalog))
        for need, vote in zip(near.tolist(), votes.tolist(), strict=True):
            for position, value in learned.worked[need].items():
                cast[position] += vote * value
        share = cast[artifacts] / (total + PRIOR)
        ranks = np.arange(1, len(artifacts) + 1)
        expected = FIRST / ranks**DECAY * known
        seen = learned.seen[artifacts]
        told = seen / (seen + SHRINKAGE)
        weight = WEIGHT * (UNSEEN + (1 - UNSEEN) * told[0])
        lift: Scores = weight * (share - expected) * known * told
        return lift

    def save(self, path: Path) -> None:
        """Keep the vectors by the SHA-256 of their needs: none is made twice."""
        if not self._vectors:
            return
        aside = path.with_suffix(".new.npy")
        table = np.zeros(
            len(self._vectors),
            dtype=[
                ("need", "V32"),
                ("vector", "f4", len(next(iter(self._vectors.values())))),
            ],
        )
        table["need"] = [np.void(each) for each in self._vectors]
        table["vector"] = list(self._vectors.values())
        np.save(aside, table)
        sync(aside)
        aside.replace(path)

    def load(self, path: Path) -> None:
        """Take the vectors that `save` kept; an unreadable file is passed over."""
        try:
            table = np.load(path)
            names = table["need"].tolist()
            self._vectors = dict(zip(names, table["vector"], strict=True))
        except (OSError, ValueError, IndexError):
            return


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
