"""A shard: what scans everything, the words and the vectors, for a part of the rows.

It opens the files of a generation, and of them holds its own rows. Statistics, codes
and cells are the whole's: a row has the same score in a shard as in the whole.
"""

import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from index.encoder import Vectors
from index.errors import SettingError
from index.generation import shared_lock, verifying
from index.hits import Ranking, Rows, Scores
from index.keyword import KeywordIndex
from index.vector import CODES, VECTORS, Depth, VectorIndex

READ = ("keyword/", VECTORS, CODES)
"""How the names of the files begin that a shard reads."""


class Question(NamedTuple):
    """What is looked for: terms, and unit vectors, one a row.

    The first vector is what capabilities are near to; all are compared with these.
    """

    terms: tuple[str, ...]
    vectors: Vectors


class Scored(NamedTuple):
    """Capabilities with both legs' scores; `cosines` of each vector, one a line."""

    rows: Rows
    words: Scores
    cosines: NDArray[np.float64]


class Proposed(NamedTuple):
    """What a shard proposes for a question: the best of each leg, and scores of all."""

    words: Ranking
    near: Ranking
    scored: Scored


def parts(starts: NDArray[np.int64], count: int) -> list[slice]:
    """Return `count` parts of the rows, as equal as artifacts that stay whole allow.

    `starts` are the rows at which artifacts begin, and the number of all rows. Raises
    SettingError if there are not as many artifacts.
    """
    artifacts = len(starts) - 1
    if not 1 <= count <= artifacts:
        raise SettingError(
            f"{count:,} shards cannot be made of {artifacts:,} artifacts; "
            "choose another number with --shards"
        )
    even = np.searchsorted(starts, starts[-1] * np.arange(count + 1) / count)
    border = [0]
    for number, place in enumerate(even.tolist()[1:], start=1):
        border.append(min(max(place, border[-1] + 1), artifacts - count + number))
    rows = starts[border].tolist()
    return list(map(slice, rows[:-1], rows[1:]))


class Shard:
    """A part of one generation's rows, to be asked for proposals and for scores."""

    def __init__(self, folder: Path, part: slice) -> None:
        """Lock, verify and open the generation in `folder`, of it the rows of `part`.

        Raises GenerationError if anything is amiss with the files that are read.
        """
        self._part = part
        weakref.finalize(self, shared_lock(folder).close)
        with verifying(folder, READ) as manifest:
            self._keyword = KeywordIndex(folder / "keyword", part)
        self._vector = VectorIndex(folder, manifest.vectors, part)

    def propose(
        self,
        questions: Sequence[Question],
        k: int,
        depth: Depth,
        among: NDArray[np.uint8] | None = None,
    ) -> list[Proposed]:
        """Return for each question what is proposed: k by words, by nearness `depth`.

        `among` are bits, one for each row of the part: those which may be proposed.
        """
        allowed = None
        if among is not None:
            size = self._part.stop - self._part.start
            allowed = np.unpackbits(among, count=size).astype(np.bool_)
        return [self._proposed(each, k, depth, allowed) for each in questions]

    def _proposed(
        self,
        question: Question,
        k: int,
        depth: Depth,
        among: NDArray[np.bool_] | None,
    ) -> Proposed:
        words = near = Ranking(np.zeros(0, dtype=np.int64), np.zeros(0))
        if question.terms:
            words = self._keyword.propose(question.terms, k, among)
        if len(question.vectors):
            near = self._vector.near(question.vectors[0], depth, among)
        return Proposed(
            words, near, self._scored(question, np.union1d(words.rows, near.rows))
        )

    def score(self, questions: Sequence[Question], rows: Rows) -> list[Scored]:
        """Return for each question the scores of the capabilities `rows`."""
        return [self._scored(each, rows) for each in questions]

    def _scored(self, question: Question, rows: Rows) -> Scored:
        cosines = [self._vector.score(each, rows) for each in question.vectors]
        return Scored(
            rows,
            self._keyword.score_of(question.terms, rows),
            np.array(cosines).reshape(len(cosines), len(rows)),
        )
