"""The vector index: the unit vectors of all passages in FAISS."""

from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from index.encoder import Vectors
from index.hits import Rows
from index.passage import VIEWS

FILE = "vectors.faiss"

MANY, PROPOSED, ROUNDS = 20_000, 8, 8
"""Neighbours from which on codes propose, how many for each one wanted, and the rounds
of k-means that make the codes: 100,000 take a second, and one need a fifteenth of what
it takes to look at all of them."""

GROWTH = 2
"""How many times what they were made for codes may become before they are made anew."""


def build(vectors: Vectors, folder: Path) -> None:
    """Write the index of passage vectors to `folder`.

    `vectors` has the shape (VIEWS * capabilities, width), rows of norm 1, all first
    views before all second. Inner products of unit vectors are cosines.
    """
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    try:
        faiss.write_index(index, str(folder / FILE))
    except RuntimeError as error:  # what FAISS makes of a failed write
        raise OSError(None, f"{FILE}: {error}") from error


class VectorIndex:
    """Passage vectors, searched by FAISS and read where they lie."""

    def __init__(self, folder: Path) -> None:
        """Open what `build` wrote to `folder`."""
        # One need keeps one core busy; more OpenMP threads would spin on the cores
        # that the encoder needs next: 14 ms for both instead of 4.
        faiss.omp_set_num_threads(1)
        self._index: Any = faiss.read_index(str(folder / FILE), faiss.IO_FLAG_MMAP_IFC)
        self.width: int = self._index.d
        self.vectors: Vectors = np.asarray(_Owned(self._index))
        self.capabilities = self._index.ntotal // VIEWS

    def search(
        self, need: NDArray[np.float32], k: int, among: Rows | None = None
    ) -> Rows:
        """Return the capabilities that own the k passages nearest to `need`, distinct.

        With `among`, only the passages of those capabilities are searched.
        """
        options = None
        if among is not None:
            passages = np.concatenate(
                [among + view * self.capabilities for view in range(VIEWS)]
            )
            options = faiss.SearchParameters(sel=faiss.IDSelectorBatch(passages))
        k = min(k, self._index.ntotal)
        _, found = self._index.search(need.reshape(1, -1), k, params=options)
        return np.unique(found[0][found[0] >= 0] % self.capabilities)

    def means(self, rows: Rows) -> Vectors:
        """Return the mean of the views of each of `rows`, shape (rows, width)."""
        views = [self.vectors[rows + v * self.capabilities] for v in range(VIEWS)]
        means: Vectors = np.mean(views, axis=0, dtype=np.float32)
        return means

    def score(self, need: NDArray[np.float32], rows: Rows) -> NDArray[np.float64]:
        """Return the cosine of each view of `rows`, shape (VIEWS, rows)."""
        views = [rows + view * self.capabilities for view in range(VIEWS)]
        # Unlike a matrix product, einsum adds up a row the same way whichever rows are
        # beside it: a score is the same in a ranking and in its explanation.
        cosines = [np.einsum("ij,j", self.vectors[each], need) for each in views]
        return np.stack(cosines).astype(np.float64)


class Neighbours:
    """Unit vectors in memory, searched by FAISS: nearly all found where they are many.

    From MANY on, codes of four bits for every two dimensions propose, and the vectors
    themselves decide. An odd width has no such codes.
    """

    def __init__(self, vectors: Vectors, before: "Neighbours | None" = None) -> None:
        """Hold `vectors`, one a row, which nobody changes any more.

        Where those of `before` are the first of them, only the rest is encoded.
        """
        self._vectors = np.ascontiguousarray(vectors)
        self._trained_on = 0
        self._index: Any
        count, width = vectors.shape
        if count < MANY or width % 2:
            self._index = faiss.IndexFlatIP(width)
        elif before and before._begins(self._vectors):
            self._trained_on = before._trained_on
            self._index = faiss.clone_index(before._index)  # others search in that one
        else:
            self._trained_on = count
            self._index = faiss.IndexPQFastScan(
                width, width // 2, 4, faiss.METRIC_INNER_PRODUCT
            )
            self._index.pq.cp.niter = ROUNDS
            self._index.train(self._vectors[:: count // MANY])
        self._index.add(self._vectors[self._index.ntotal :])

    def _begins(self, vectors: Vectors) -> bool:
        """Return whether an index of `vectors` can begin with this one."""
        own = self._vectors
        fits = len(own) <= len(vectors) <= GROWTH * self._trained_on
        return fits and np.array_equal(own, vectors[: len(own)])

    def search(
        self, vector: NDArray[np.float32], k: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return the rows of the k nearest, the nearest first, and their cosines."""
        k = min(k, len(self._vectors))
        wanted = min(k * PROPOSED, len(self._vectors)) if self._trained_on else k
        cosines, rows = (each[0] for each in self._index.search(vector[None], wanted))
        if self._trained_on:
            rows = rows[rows >= 0]
            cosines = np.einsum("ij,j", self._vectors[rows], vector)
            best = np.argsort(-cosines, kind="stable")[:k]
            rows, cosines = rows[best], cosines[best]
        return rows, cosines


class _Owned:
    """An index's vectors as an array, in place; it keeps their owner alive."""

    def __init__(self, index: Any) -> None:
        vectors = faiss.rev_swig_ptr(index.get_xb(), index.ntotal * index.d)
        self._owner = index
        self.__array_interface__ = vectors.reshape(-1, index.d).__array_interface__
