"""Retrievers over shards: scatter a need, gather what each says, merge.

Proposals are the first k of one order, so those of the shards hold those of the whole:
what is merged here is what one machine proposes, with the same scores.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from index.catalog import Catalog
from index.claims import Claims
from index.encoder import NeedEncoder
from index.generation import Generation
from index.hits import Ranking, Rows, Scores, merge, rank
from index.keyword import KeywordIndex, analyse
from index.shard import Proposed, Question, Scored
from index.vector import Depth, VectorIndex
from search.need import Need
from search.retriever import (
    ANCHOR_DEPTH,
    Among,
    AnchorRetriever,
    KeywordRetriever,
    Legs,
    NameRetriever,
    VectorRetriever,
)

REMEMBERED = 64
"""Questions of which it is remembered what the shards said, 100 kB each: every leg of a
need asks, and so do the pages of its answer."""


class Shards(Protocol):
    """The parts of one generation, wherever they are."""

    @property
    def parts(self) -> Sequence[slice]:
        """The rows of each shard, in order."""
        ...

    def ask(
        self, method: str, given: Mapping[int, tuple[Any, ...]]
    ) -> dict[int, list[Any]]:
        """Return what `method` of each shard says, by number, to what it is `given`.

        Raises ClusterError if one of them cannot be had in time: an answer without it
        would leave out what may be best, and look whole.
        """
        ...


@dataclass(frozen=True, slots=True)
class Gathered:
    """What all shards together say to a question."""

    words: Rows
    near: Rows
    scored: Scored


@dataclass(slots=True)
class Remembered:
    """What is known of one question: scores of some rows, and proposals by request."""

    scored: Scored
    proposals: dict[tuple[int, bytes], tuple[Rows, Rows]] = field(default_factory=dict)


class Scatter:
    """Asks all shards, once for all legs of a need, and remembers what they said."""

    def __init__(
        self,
        shards: Shards,
        index: VectorIndex,
        vectors: Callable[[Need], NDArray[np.float32]],
    ) -> None:
        """Ask `shards`, cut from `index`; `vectors` gives a need's, one a row."""
        self._shards = shards
        self._index = index
        self._vectors = vectors
        self._starts = np.array([each.start for each in shards.parts])
        self._size = shards.parts[-1].stop
        self._known: OrderedDict[tuple[tuple[str, ...], bytes], Remembered] = (
            OrderedDict()
        )
        self._lock = Lock()

    def propose(self, need: Need, k: int, among: Among) -> tuple[Rows, Rows]:
        """Return what is proposed for `need` by words, and by nearness."""
        question = self._question(need)
        bits = b"" if among is None else np.packbits(among).tobytes()
        request = (k, hashlib.sha256(bits).digest() if bits else b"")
        known = self._remembered(question)
        if request not in known.proposals:
            found = self.gather([question], k, among)[0]
            with self._lock:
                known.scored = _joined([known.scored, found.scored])
                known.proposals[request] = (found.words, found.near)
        return known.proposals[request]

    def score(self, need: Need, rows: Rows) -> Scored:
        """Return the scores of `rows` for `need`; those proposed for it are known."""
        question = self._question(need)
        known = self._remembered(question)
        missing = np.setdiff1d(rows, known.scored.rows)
        scored = known.scored
        if len(missing):
            found = self._score(question, missing)
            with self._lock:
                scored = known.scored = _joined([known.scored, found])
        places = np.searchsorted(scored.rows, rows)
        return Scored(rows, scored.words[places], scored.cosines[:, places])

    def gather(
        self, questions: Sequence[Question], k: int, among: Among
    ) -> list[Gathered]:
        """Return what is proposed for each of `questions` among all shards."""
        allowed = self._size if among is None else int(among.sum())
        depth = self._index.depth(k, allowed)
        found = self._gathered(questions, k, depth, among)
        # As one machine does it: what no cell that is looked at holds, cosines find.
        short = [
            place
            for place, each in enumerate(found)
            if among is not None
            and len(questions[place].vectors)
            and len(each.near) < min(depth.k, allowed)
        ]
        if short:
            depth = depth._replace(cosines=True)
            again = [questions[place] for place in short]
            for place, each in zip(
                short, self._gathered(again, k, depth, among), strict=True
            ):
                found[place] = each
        return found

    def _gathered(
        self, questions: Sequence[Question], k: int, depth: Depth, among: Among
    ) -> list[Gathered]:
        given: dict[int, tuple[Any, ...]] = {}
        for number, part in enumerate(self._shards.parts):
            if among is None:
                given[number] = (questions, k, depth)
            elif among[part].any():
                given[number] = (questions, k, depth, np.packbits(among[part]))
        told = self._shards.ask("propose", given) if given else {}
        return [
            _gathered(question, [each[place] for each in told.values()], k, depth)
            for place, question in enumerate(questions)
        ]

    def _score(self, question: Question, rows: Rows) -> Scored:
        owners = np.searchsorted(self._starts, rows, side="right") - 1
        given = {
            number: ([question], rows[owners == number])
            for number in np.unique(owners).tolist()
        }
        told = self._shards.ask("score", given)
        return _joined([each[0] for each in told.values()])

    def _question(self, need: Need) -> Question:
        return Question(analyse(need.sought), self._vectors(need))

    def _remembered(self, question: Question) -> Remembered:
        key = (question.terms, question.vectors.tobytes())
        with self._lock:
            known = self._known.setdefault(key, Remembered(_nothing(question)))
            self._known.move_to_end(key)
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
            return known


def _nothing(question: Question) -> Scored:
    none = np.zeros((len(question.vectors), 0))
    return Scored(np.zeros(0, dtype=np.int64), np.zeros(0), none)


def _joined(parts: Sequence[Scored]) -> Scored:
    """Return the scores of all `parts`, by ascending row, each row once."""
    rows, places = np.unique(
        np.concatenate([each.rows for each in parts]), return_index=True
    )
    words = np.concatenate([each.words for each in parts])
    cosines = np.concatenate([each.cosines for each in parts], axis=1)
    return Scored(rows, words[places], cosines[:, places])


def _gathered(
    question: Question, told: Iterable[Proposed], k: int, depth: Depth
) -> Gathered:
    none = Ranking(np.zeros(0, dtype=np.int64), np.zeros(0))
    told = [Proposed(none, none, _nothing(question)), *told]
    return Gathered(
        merge([each.words for each in told], k).rows,
        merge([each.near for each in told], depth.k).rows,
        _joined([each.scored for each in told]),
    )


class ScatteredVector(VectorRetriever):
    """The vector leg over shards."""

    def __init__(
        self, generation: Generation, encoder: NeedEncoder, shards: Shards
    ) -> None:
        """Rank the capabilities of `shards`, needs encoded by `encoder`."""
        super().__init__(generation.vector, encoder, generation.adapter)
        self.scatter = Scatter(shards, generation.vector, self._all)
        self._width = generation.vector.vectors.shape[1]

    def _all(self, need: Need) -> NDArray[np.float32]:
        """Return the adapted vector and then the need's own; none if degraded."""
        if need.degraded:
            return np.zeros((0, self._width), dtype=np.float32)
        own = self.vector(need)
        return np.stack([self.adapter(own), own] if self.adapter else [own])

    def propose(self, need: Need, k: int, among: Among = None) -> Rows:
        """Return the capabilities that are nearest, at least k; none if degraded."""
        return self.scatter.propose(need, k, among)[1]

    def score(self, need: Need, rows: Rows) -> Scores:
        """Return the mean cosines of `rows`, in [-1, 1]; 0 for an unknown meaning."""
        if need.degraded:
            return np.zeros(len(rows))
        scores: Scores = self.scatter.score(need, rows).cosines[0]
        return scores

    def closeness(self, need: Need, rows: Rows) -> Scores:
        """Return the mean cosines of `rows` to the need itself, not adapted."""
        if need.degraded:
            return np.zeros(len(rows))
        scores: Scores = self.scatter.score(need, rows).cosines[-1]
        return scores


class ScatteredKeyword(KeywordRetriever):
    """The keyword leg over shards; `index` says what is said of the whole."""

    def __init__(self, index: KeywordIndex, scatter: Scatter) -> None:
        """Rank the capabilities of the shards that `scatter` asks."""
        super().__init__(index)
        self._scatter = scatter

    def propose(self, need: Need, k: int, among: Among = None) -> Rows:
        """Return the k best of the capabilities that share a term with the need."""
        return self._scatter.propose(need, k, among)[0]

    def score(self, need: Need, rows: Rows) -> Scores:
        """Return the BM25F scores of `rows`."""
        return self._scatter.score(need, rows).words


class ScatteredAnchor(AnchorRetriever):
    """The anchor leg over shards: all capabilities of all anchors in one round."""

    def __init__(
        self, catalog: Catalog, index: VectorIndex, claims: Claims, scatter: Scatter
    ) -> None:
        """Compare artifacts by `index`; find them in the shards that `scatter` asks."""
        super().__init__(catalog, index, claims)
        self._scatter = scatter

    def _nearest(
        self, vectors: Sequence[NDArray[np.float32]], among: Among
    ) -> list[Ranking]:
        questions = [Question((), each[None]) for each in vectors]
        if not questions:
            return []
        return [
            rank(each.near, _cosines(each), ANCHOR_DEPTH)
            for each in self._scatter.gather(questions, ANCHOR_DEPTH, among)
        ]


def _cosines(found: Gathered) -> Scores:
    """Return the cosines of those that are near."""
    places = np.searchsorted(found.scored.rows, found.near)
    cosines: Scores = found.scored.cosines[0][places]
    return cosines


def scattered(generation: Generation, encoder: NeedEncoder, shards: Shards) -> Legs:
    """Return all legs over `shards` of `generation`, needs encoded by `encoder`."""
    catalog, claims = generation.catalog, generation.claims
    vector = ScatteredVector(generation, encoder, shards)
    return Legs(
        ScatteredKeyword(generation.keyword, vector.scatter),
        vector,
        NameRetriever(catalog),
        ScatteredAnchor(catalog, generation.vector, claims, vector.scatter),
    )
