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
    """Unit vectors in memory, searched by FAISS."""

    def __init__(self, vectors: Vectors) -> None:
        """Hold `vectors`, one a row."""
        self._index: Any = faiss.IndexFlatIP(vectors.shape[1])
        self._index.add(np.ascontiguousarray(vectors))

    def search(
        self, vector: NDArray[np.float32], k: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return the rows of the k nearest, the nearest first, and their cosines."""
        k = min(k, self._index.ntotal)
        cosines, rows = self._index.search(vector.reshape(1, -1), k)
        return rows[0], cosines[0]


class _Owned:
    """An index's vectors as an array, in place; it keeps their owner alive."""

    def __init__(self, index: Any) -> None:
        vectors = faiss.rev_swig_ptr(index.get_xb(), index.ntotal * index.d)
        self._owner = index
        self.__array_interface__ = vectors.reshape(-1, index.d).__array_interface__
