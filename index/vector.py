"""The vector index: one vector for each capability, searched by FAISS."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import faiss
import numpy as np
from numpy.typing import NDArray

from index.encoder import Vectors
from index.hits import Ranking, Rows, Scores, first

VECTORS, CODES = "vectors.npy", "codes.faiss"

MANY, HUGE = 20_000, 400_000
"""Vectors from which on codes propose, and from which on only those of the nearest
cells are looked at: a need takes 0.4 ms among 100,000 codes, 6 ms among all vectors."""

ROUNDS, SAMPLE = 8, 20_000
"""Rounds of k-means that make the codes, and vectors that they are made of."""

DEEP = 100
"""Neighbours that recall is measured at."""

RECALL = 0.99
"""Least share of the nearest DEEP that is to be proposed."""

PROPOSED, NEVER_MORE = 500, 4000
"""Capabilities proposed at least for a need, and at most, so that RECALL is met."""

PROBES, ALL_PROBES = 16, 256
"""Cells looked at, at least and at most, so that RECALL is met."""

SPARE = 1.25
"""How many more are proposed where some are not wanted than would do on average."""

FEW = 8
"""Where no more are allowed than so many times what is to be proposed, their cosines
decide: as quick as codes of which most are not wanted, and exact."""

TIED = 32
"""How many more are looked at, so that what ties with the last is among them: codes
have few values, and about ten of a need's best 500 share each."""

WHOLE = slice(None)
"""All capabilities."""

SELECTED, GROWTH = 8, 2
"""Candidates looked at for each neighbour wanted, and how many times what they were
made for codes may become before they are made anew."""


class Near(NamedTuple):
    """The rows nearest to each of some needs, the nearest first, and their cosines."""

    rows: NDArray[np.int64]
    cosines: NDArray[np.float32]


def nearest(needs: Vectors, vectors: Vectors, k: int = DEEP) -> Near:
    """Return the k of `vectors` that are nearest to each of `needs`, exactly."""
    k = min(k, len(vectors))
    cosines, rows = faiss.knn(needs, vectors, k, metric=faiss.METRIC_INNER_PRODUCT)
    return Near(rows, cosines)


def build(vectors: Vectors, needs: Vectors, near: Near, folder: Path) -> dict[str, Any]:
    """Write the index of `vectors`, one a capability, to `folder`; return its form.

    That is its `kind`, how many it is to propose, `proposed`, and the `recall` so
    reached: the share of the vectors `near` to `needs` that it proposes. `flat` looks
    at all vectors, `pq` at codes of four bits for every two dimensions, `ivf` at such
    codes in `probes` cells of like vectors.
    """
    np.save(folder / VECTORS, vectors)
    if len(vectors) < MANY or vectors.shape[1] % 2:
        return {"kind": "flat", "proposed": PROPOSED, "recall": 1.0}
    codes = _codes(vectors)
    kind = "pq"
    if len(vectors) >= HUGE:
        kind, codes = "ivf", _cells(vectors)
    for form in _forms(kind):
        _probe(codes, form)
        found = codes.search(needs, form["proposed"])[1]
        hits = sum(map(_common, found, near.rows))
        form["recall"] = round(hits / near.rows.size, 4)
        if form["recall"] >= RECALL:
            break
    try:
        faiss.write_index(codes, str(folder / CODES))
    except RuntimeError as error:  # what FAISS makes of a failed write
        raise OSError(None, f"{CODES}: {error}") from error
    return form


def _common(found: NDArray[np.int64], near: NDArray[np.int64]) -> int:
    return len(np.intersect1d(found, near))


def _forms(kind: str) -> Iterator[dict[str, Any]]:
    """Yield what a search may be asked to look at, each more than the one before."""
    probes = PROBES
    proposed = PROPOSED
    while True:
        yield {"kind": kind, "proposed": proposed} | (
            {"probes": probes} if kind == "ivf" else {}
        )
        if kind == "ivf" and probes < ALL_PROBES:
            probes *= 2
        elif proposed < NEVER_MORE:
            proposed *= 2
        else:
            return


def _codes(vectors: Vectors) -> Any:
    """Return codes of `vectors` (product quantisation, scanned in registers)."""
    width = vectors.shape[1]
    index = faiss.IndexPQFastScan(width, width // 2, 4, faiss.METRIC_INNER_PRODUCT)
    index.pq.cp.niter = ROUNDS
    index.train(vectors[:: max(1, len(vectors) // SAMPLE)])
    index.add(vectors)
    return index


def _cells(vectors: Vectors) -> Any:
    """Return codes of `vectors` in cells, four for each root of their number."""
    count, width = vectors.shape
    cells = 4 * int(count**0.5)
    index = faiss.IndexIVFPQFastScan(
        faiss.IndexFlatIP(width), width, cells, width // 2, 4,
        faiss.METRIC_INNER_PRODUCT,
    )  # fmt: skip
    index.cp.niter = index.pq.cp.niter = ROUNDS
    index.train(vectors[:: max(1, count // (40 * cells))])
    index.add(vectors)
    return index


def _probe(codes: Any, form: dict[str, Any]) -> None:
    if form["kind"] == "ivf":
        codes.nprobe = form["probes"]


class Depth(NamedTuple):
    """How many are to be proposed for a need, and whether by `cosines` of all allowed.

    Else all vectors are looked at as FAISS does it, or their codes.
    """

    k: int
    cosines: bool


class VectorIndex:
    """Each capability's vector: the mean of the unit vectors of its views."""

    def __init__(self, folder: Path, form: dict[str, Any], part: slice = WHOLE) -> None:
        """Open what `build` wrote to `folder`, of the form that it returned.

        Of it the capabilities of `part` alone: what is proposed among them has the
        same scores, and codes, as among all.
        """
        # One need keeps one core busy; more OpenMP threads would spin on the cores
        # that the encoder needs next: 14 ms for both instead of 4.
        faiss.omp_set_num_threads(1)
        # A plain array over the mapped file: slices of a memmap cost ten times more.
        whole = np.asarray(np.load(folder / VECTORS, mmap_mode="r"))
        self._size = len(whole)
        self._start, end, _ = part.indices(len(whole))
        self.vectors: Vectors = whole[self._start : end]
        self._proposed: int = form["proposed"]
        self._codes: Any = None
        self._first_code = self._start
        if form["kind"] != "flat":
            self._codes = faiss.read_index(str(folder / CODES))
            _probe(self._codes, form)
            if len(self.vectors) < len(whole):
                own = faiss.IDSelectorRange(self._start, end)
                self._codes.remove_ids(faiss.IDSelectorNot(own))
            if form["kind"] == "ivf":  # which keeps the numbers, the others do not
                self._first_code = 0

    def depth(self, k: int, allowed: int) -> Depth:
        """Return how k of `allowed` capabilities are to be proposed.

        Whoever asks parts asks each for the same, by what is allowed in all of them.
        """
        k = k if self._codes is None else max(k, self._proposed)
        return Depth(k, cosines=allowed < self._size and allowed <= k * FEW)

    def propose(
        self,
        need: NDArray[np.float32],
        k: int,
        among: NDArray[np.bool_] | None = None,
    ) -> Ranking:
        """Return the k capabilities nearest to `need`, and others where codes propose.

        Of the DEEP nearest at least the share is among them that the index was built
        for. Only those which `among` is true for, if it is given.
        """
        allowed = len(self.vectors) if among is None else int(among.sum())
        depth = self.depth(k, allowed)
        found = self.near(need, depth, among)
        if among is not None and len(found.rows) < min(depth.k, allowed):
            return self.near(need, depth._replace(cosines=True), among)
        return found

    def near(
        self,
        need: NDArray[np.float32],
        depth: Depth,
        among: NDArray[np.bool_] | None = None,
    ) -> Ranking:
        """Return the first of the order that `depth` says, in any order, ties by row.

        Fewer if fewer are allowed, or in the cells that are looked at.
        """
        k, size = depth.k, len(self.vectors)
        allowed = size if among is None else int(among.sum())
        if depth.cosines or not allowed:
            own = np.arange(size) if among is None else np.flatnonzero(among)
            own += self._start
            return first(own, self.score(need, own), k)
        asked = k + TIED if among is None else k * SPARE * size / allowed
        while True:
            rows, values = self._search(need, min(int(asked), size))
            last = values.min(initial=np.inf)
            all_seen = len(rows) < int(asked) or len(rows) == size
            if among is not None:
                kept = among[rows - self._start]
                rows, values = rows[kept], values[kept]
            # What ties with the k-th is all there once something worse is.
            if all_seen or (len(rows) >= k and values[k - 1] > last):
                return first(rows, values, k)
            asked *= 2

    def _search(
        self, need: NDArray[np.float32], k: int
    ) -> tuple[Rows, NDArray[np.float64]]:
        """Return the rows of the k nearest, the nearest first, and what says so.

        That is FAISS's inner product with the vector or with what its code stands for:
        the same for a row, whichever are beside it. Fewer than k if the cells that are
        looked at hold fewer.
        """
        if self._codes is None:
            near = nearest(need[None], self.vectors, k)
            rows, values = near.rows[0], near.cosines[0]
        else:
            by_code, found = self._codes.search(need[None], k)
            there = found[0] >= 0
            rows, values = found[0][there], by_code[0][there]
        return rows + self._first_code, values.astype(np.float64)

    def score(self, need: NDArray[np.float32], rows: Rows) -> Scores:
        """Return the mean cosine of the views of each of `rows`, in [-1, 1]."""
        # Unlike a matrix product, einsum adds up a row the same way whichever rows are
        # beside it: a score is the same in a ranking and in its explanation.
        scores: Scores = np.einsum(
            "ij,j", self.vectors[rows - self._start], need
        ).astype(np.float64)
        return scores


class Neighbours:
    """Unit vectors in memory, searched by FAISS: nearly all found where they are many.

    From MANY on, codes propose, and the vectors themselves decide. An odd width has no
    such codes.
    """

    def __init__(self, vectors: Vectors, before: "Neighbours | None" = None) -> None:
        """Hold `vectors`, one a row, which nobody changes any more.

        Where those of `before` are the first of them, only the rest is encoded.
        """
        self._vectors = np.ascontiguousarray(vectors)
        self._trained_on = 0
        self._codes: Any = None
        if len(vectors) < MANY or vectors.shape[1] % 2:
            return
        if before and before._begins(self._vectors):
            self._trained_on = before._trained_on
            self._codes = faiss.clone_index(before._codes)  # others search in that one
            self._codes.add(self._vectors[self._codes.ntotal :])
        else:
            self._trained_on = len(vectors)
            self._codes = _codes(self._vectors)

    def _begins(self, vectors: Vectors) -> bool:
        """Return whether codes of `vectors` can begin with these."""
        own = self._vectors
        fits = len(own) <= len(vectors) <= GROWTH * self._trained_on
        return fits and np.array_equal(own, vectors[: len(own)])

    def search(
        self, vector: NDArray[np.float32], k: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return the rows of the k nearest, the nearest first, and their cosines."""
        if self._codes is None:
            near = nearest(vector[None], self._vectors, k)
            return near.rows[0], near.cosines[0]
        wanted = min(k * SELECTED, len(self._vectors))
        rows = self._codes.search(vector[None], wanted)[1][0]
        rows = rows[rows >= 0]
        cosines = np.einsum("ij,j", self._vectors[rows], vector)
        best = np.argsort(-cosines, kind="stable")[:k]
        return rows[best], cosines[best]
