"""The adapter: one matrix that moves a need towards what worked for needs like it."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FILE = "adapter.npy"


class Adapter:
    """A linear correction of a need's vector, learned from past needs."""

    def __init__(self, matrix: NDArray[np.float32]) -> None:
        """Correct by `matrix`, shape (width, width); zeros would change nothing."""
        self.matrix = matrix

    def __call__(self, vector: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the unit vector of `vector` plus its product with the matrix."""
        moved: NDArray[np.float32] = vector + vector @ self.matrix
        moved /= np.linalg.norm(moved)
        return moved

    def write(self, folder: Path) -> None:
        """Write it to a generation's folder."""
        np.save(folder / FILE, self.matrix.astype(np.float32))

    @classmethod
    def open(cls, folder: Path) -> "Adapter | None":
        """Return the adapter of a generation's folder; None if nothing was learned."""
        path = folder / FILE
        return cls(np.load(path)) if path.exists() else None
