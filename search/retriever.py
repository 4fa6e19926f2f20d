"""First-stage retrieval: each retriever ranks the capabilities that may meet a need."""

from collections import OrderedDict
from collections.abc import Sequence
from functools import lru_cache
from threading import Lock
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from index.adapter import Adapter
from index.catalog import Catalog
from index.claims import Claims
from index.encoder import NeedEncoder
from index.generation import Generation
from index.hits import Ranking, Rows, Scores, rank
from index.keyword import KeywordIndex, analyse
from index.vector import VectorIndex
from search.explanation import Explanation
from search.need import Need

NEED_VECTORS = 4096
"""Encoded needs remembered, 6 MB at 384 dimensions: typing and paging repeat needs."""

REMEMBERED = 64
"""Needs of which it is remembered what they name: each is asked for several times."""

COVER, SAID, SAID_MOST, FIRST = 2.0, 6.0, 0.7, 3
"""How the keyword leg's trust is made of its coverage; chosen on the train splits of
two judged sets and on our own needs, confirmed on the dev splits of three sets."""

ANCHORS, ANCHOR_CAPABILITIES, ANCHOR_DEPTH = 3, 8, 100
"""Anchors, capabilities of each, and neighbours of each capability that are looked at:
they bound the work that a need with a prolific anchor makes."""

ALIKE = 0.8
"""What is left of a likeness where inputs, or outputs, have nothing in common."""

ANCHOR_TRUST, ALONE_TRUST = 2.0, 8.0
"""Chosen on our own relative needs."""

LIKE = 0.5
NAME_TRUST, LIKE_TRUST = 9.0, 0.5
"""A name has three times what the others can have together: it decides, whatever else
matches. The beginning of a name counts for half as much as meaning."""


Among = NDArray[np.bool_] | None
"""Which capabilities may be proposed; None for all."""


class Retriever(Protocol):
    """A leg of the hybrid. A distributed backend implements this and nothing else."""

    @property
    def name(self) -> str:
        """The leg's name, as explanations and measurements show it."""
        ...

    def propose(self, need: Need, k: int, among: Among) -> Rows:
        """Return capabilities with the k best, or nearly all of these, among them.

        Only those that `among` is true for, unless it is None; in any order.
        """
        ...

    def score(self, need: Need, rows: Rows) -> Scores:
        """Return the scores of capabilities `rows`, whoever proposed them."""
        ...

    def trust(self, need: Need, rows: Rows, scores: Scores) -> float:
        """Return how much its best say for `need`; only ratios count.

        `scores` are its own, of `rows`, which hold all that it proposed.
        """
        ...

    def explain(self, need: Need, row: int) -> Explanation:
        """Return why capability `row` has its score, as a sum."""
        ...


class KeywordRetriever:
    """BM25F over the words of a need; 0 where none occurs."""

    name = "keyword"

    def __init__(self, index: KeywordIndex) -> None:
        """Rank the capabilities of `index`."""
        self._index = index

    def propose(self, need: Need, k: int, among: Among = None) -> Rows:
        """Return the k best of the capabilities that share a term with the need."""
        return self._index.propose(analyse(need.sought), k, among).rows

    def trust(self, need: Need, rows: Rows, scores: Scores) -> float:
        """Return how much of either text the other says, in [0, COVER].

        A need that repeats most of what a capability says, or whose words stand
        together in one, was met by its words; one that shares a few words with a long
        text says little by them. `covered` is the share of the capability's own total
        score, `said` that of what the need's terms can score at most, both the mean
        over the best FIRST; the trust is the greater of COVER times covered and SAID
        times the square of said, the latter SAID_MOST at most: a need of two words is
        easily said.
        """
        best = rank(rows, scores, FIRST)
        if not best.scores.any():
            return 0.0
        best = Ranking(best.rows[best.scores > 0], best.scores[best.scores > 0])
        covered = float((best.scores / self._index.totals[best.rows]).mean())
        said = float(best.scores.mean()) / self._index.ceiling(analyse(need.sought))
        return max(COVER * covered, min(SAID * said**2, SAID_MOST))

    def score(self, need: Need, rows: Rows) -> Scores:
        """Return the BM25F scores of `rows`."""
        return self._index.score_of(analyse(need.sought), rows)

    def explain(self, need: Need, row: int) -> Explanation:
        """Return the score as the sum of the terms' impacts."""
        parts = (
            Explanation(impact, f"the term {term!r}")
            for term in analyse(need.sought)
            if (impact := self._index.impact(term, row))
        )
        return Explanation.total("words in common, by BM25F", tuple(parts))


class VectorRetriever:
    """Cosine of a need to a capability, the mean over its views."""

    name = "vector"

    def __init__(
        self, index: VectorIndex, encoder: NeedEncoder, adapter: Adapter | None = None
    ) -> None:
        """Rank the capabilities of `index`, needs encoded by `encoder`.

        With `adapter`, they are ranked by where it moves the need to.
        """
        self.adapter = adapter
        self._index = index
        self._encoder = encoder
        self._vectors: OrderedDict[str, NDArray[np.float32]] = OrderedDict()
        self._lock = Lock()

    def vector(self, need: Need) -> NDArray[np.float32]:
        """Return the need's unit vector, shape (width,); a repeated need is free."""
        with self._lock:
            if need.sought in self._vectors:
                self._vectors.move_to_end(need.sought)
                return self._vectors[need.sought]
        vector = self._encoder.encode_need(need.sought)
        with self._lock:
            self._vectors[need.sought] = vector
            if len(self._vectors) > NEED_VECTORS:
                self._vectors.popitem(last=False)
        return vector

    def propose(self, need: Need, k: int, among: Among = None) -> Rows:
        """Return the capabilities that are nearest, at least k; none if degraded."""
        if need.degraded:
            return np.zeros(0, dtype=np.int64)
        return self._index.propose(self._adapted(need), k, among).rows

    def trust(self, need: Need, rows: Rows, scores: Scores) -> float:
        """Return 1, the measure of the other legs' trust; 0 for an unknown meaning."""
        return 0.0 if need.degraded else 1.0

    def score(self, need: Need, rows: Rows) -> Scores:
        """Return the mean cosines of `rows`, in [-1, 1]; 0 for an unknown meaning."""
        if need.degraded:
            return np.zeros(len(rows))
        return self._index.score(self._adapted(need), rows)

    def closeness(self, need: Need, rows: Rows) -> Scores:
        """Return the mean cosines of `rows` to the need itself, not adapted."""
        if need.degraded:
            return np.zeros(len(rows))
        return self._index.score(self.vector(need), rows)

    def _adapted(self, need: Need) -> NDArray[np.float32]:
        vector = self.vector(need)
        return self.adapter(vector) if self.adapter else vector

    def explain(self, need: Need, row: int) -> Explanation:
        """Return the score: the cosines of its views come to it as one."""
        text = "closeness in meaning, by cosine"
        if self.adapter:
            text += ", adapted to what worked before"
        return Explanation(float(self.score(need, np.array([row]))[0]), text)


class NameRetriever:
    """1 for an artifact that the need names, LIKE for one whose name it begins."""

    name = "name"

    def __init__(self, catalog: Catalog) -> None:
        """Know the artifacts of `catalog` by name."""
        self._catalog = catalog
        self._meant = lru_cache(maxsize=REMEMBERED)(self._by_name)

    def _named(self, need: Need) -> tuple[NDArray[np.int64], Scores]:
        """Return the artifacts that the need names, ascending, and their scores.

        Corrected words count if the text is no name.
        """
        return self._meant(need.text, need.corrected)

    def _by_name(self, *texts: str) -> tuple[NDArray[np.int64], Scores]:
        for text in dict.fromkeys(texts):
            named = self._catalog.names.named(text)
            found = np.union1d(self._catalog.names.named_like(text), named)
            if len(found):
                return found, np.where(np.isin(found, named), 1.0, LIKE)
        return np.zeros(0, dtype=np.int64), np.zeros(0)

    def propose(self, need: Need, k: int, among: Among = None) -> Rows:
        """Return the k best capabilities of the artifacts that the need names."""
        rows = self._catalog.rows(self._named(need)[0])
        rows = rows if among is None else rows[among[rows]]
        return rank(rows, self.score(need, rows), k).rows

    def trust(self, need: Need, rows: Rows, scores: Scores) -> float:
        """Return NAME_TRUST for a name, LIKE_TRUST for the beginning of one, else 0."""
        top = scores.max(initial=0.0)
        return NAME_TRUST if top == 1 else LIKE_TRUST if top else 0.0

    def score(self, need: Need, rows: Rows) -> Scores:
        """Return the score of each capability's artifact."""
        named, scores = self._named(need)
        if not len(named):
            return np.zeros(len(rows))
        owners = self._catalog.owners[rows]
        places = np.minimum(np.searchsorted(named, owners), len(named) - 1)
        return np.where(named[places] == owners, scores[places], 0.0)

    def explain(self, need: Need, row: int) -> Explanation:
        """Return the score of the capability's artifact."""
        score = float(self.score(need, np.array([row]))[0])
        texts = {1.0: "the need is its name", LIKE: "its name begins with the need"}
        return Explanation(score, texts.get(score, "the need is not its name"))


class AnchorRetriever:
    """How much of what the anchors of a need do, an artifact does too."""

    name = "anchor"

    def __init__(self, catalog: Catalog, index: VectorIndex, claims: Claims) -> None:
        """Compare the artifacts of `catalog` by the vectors of `index`, and claims."""
        self._catalog = catalog
        self._index = index
        self._claims = claims

    def _anchors(self, need: Need) -> list[tuple[int, NDArray[np.float32]]]:
        """Return each anchor with the vectors of its capabilities, one a row."""
        positions = [each for anchor in need.anchors for each in anchor.positions]
        starts = self._catalog.starts
        return [
            (
                each,
                self._index.vectors[starts[each] : starts[each + 1]][
                    :ANCHOR_CAPABILITIES
                ],
            )
            for each in positions[:ANCHORS]
        ]

    def propose(self, need: Need, k: int, among: Among = None) -> Rows:
        """Return the k best of the capabilities near to one of an anchor's."""
        vectors = [each for _, own in self._anchors(need) for each in own]
        near = [each.rows for each in self._nearest(vectors, among)]
        rows = np.unique(np.concatenate([*near, np.zeros(0, dtype=np.int64)]))
        return rank(rows, self.score(need, rows), k).rows

    def _nearest(
        self, vectors: Sequence[NDArray[np.float32]], among: Among
    ) -> list[Ranking]:
        """Return the ANCHOR_DEPTH nearest to each of `vectors`."""
        found = []
        for vector in vectors:
            rows = self._index.propose(vector, ANCHOR_DEPTH, among).rows
            found.append(rank(rows, self._index.score(vector, rows), ANCHOR_DEPTH))
        return found

    def trust(self, need: Need, rows: Rows, scores: Scores) -> float:
        """Return ANCHOR_TRUST, ALONE_TRUST if the need says nothing else; or 0."""
        if not scores.any():
            return 0.0
        names = {each.name for each in need.anchors}
        return ALONE_TRUST if need.topic in names else ANCHOR_TRUST

    def score(self, need: Need, rows: Rows) -> Scores:
        """Return how much of the nearest anchor the artifact of each row does.

        For every capability of the anchor, the cosine of the artifact's capability
        that is nearest to it; the mean of these, and of the row's own nearest cosine,
        so that an artifact shows by what it has in common. Times ALIKE to 1 for each
        of inputs and outputs, by how many of them the two share. In [-1, 1].
        """
        scores = np.zeros(len(rows))
        anchors = self._anchors(need)
        if not anchors or not len(rows):
            return scores
        owners, places = np.unique(self._catalog.owners[rows], return_inverse=True)
        starts, ends = self._catalog.starts[owners], self._catalog.starts[owners + 1]
        begins = np.cumsum([0, *(ends - starts)])
        own = np.repeat(starts - begins[:-1], ends - starts) + np.arange(begins[-1])
        theirs, found = self._index.vectors[own], self._index.vectors[rows]
        for position, vectors in anchors:
            cosines = np.einsum("ij,kj->ik", theirs, vectors)
            covered = np.maximum.reduceat(cosines, begins[:-1], axis=0).mean(axis=1)
            nearest = np.einsum("ij,kj->ik", found, vectors).max(axis=1)
            both = (covered[places] + nearest) / 2
            for field in ("inputs", "outputs"):
                shared = self._claims.overlap(field, position, owners)
                both *= (ALIKE + (1 - ALIKE) * shared)[places]
            scores = np.maximum(scores, both)
        return scores

    def explain(self, need: Need, row: int) -> Explanation:
        """Return the score of `row`."""
        score = float(self.score(need, np.array([row]))[0])
        names = " or ".join(each.name for each in need.anchors if each.positions)
        return Explanation(score, f"does what {names} does" if names else "no anchor")


class Legs(NamedTuple):
    """The legs of the hybrid, in the order in which they are asked and explained."""

    keyword: KeywordRetriever
    vector: VectorRetriever
    name: NameRetriever
    anchor: AnchorRetriever

    @classmethod
    def of(cls, generation: Generation, encoder: NeedEncoder) -> "Legs":
        """Return the legs over the indexes of `generation`."""
        catalog = generation.catalog
        return cls(
            KeywordRetriever(generation.keyword),
            VectorRetriever(generation.vector, encoder, generation.adapter),
            NameRetriever(catalog),
            AnchorRetriever(catalog, generation.vector, generation.claims),
        )
