from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from index import vector
from index.vector import VectorIndex


def unit(rows: int, width: int = 16) -> NDArray[np.float32]:
    vectors = np.random.default_rng(7).normal(size=(rows, width)).astype(np.float32)
    norms: NDArray[np.float32] = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / norms).astype(np.float32)


@pytest.fixture
def index(tmp_path: Path) -> VectorIndex:
    vector.build(unit(200), tmp_path)
    return VectorIndex(tmp_path)


def test_the_capabilities_of_the_nearest_passages_are_found(index: VectorIndex) -> None:
    need = unit(201)[-1]
    cosines = unit(200) @ need
    nearest = np.argsort(-cosines)[:20] % 100
    assert index.search(need, 20).tolist() == sorted(set(nearest.tolist()))


def test_only_capabilities_among_those_wanted_are_found(index: VectorIndex) -> None:
    among = np.array([3, 5, 8])
    assert index.search(unit(201)[-1], 50, among).tolist() == [3, 5, 8]


def test_scores_are_the_cosines_of_both_views(index: VectorIndex) -> None:
    need, rows = unit(201)[-1], np.array([4, 2])
    expected = [unit(200)[rows] @ need, unit(200)[rows + 100] @ need]
    np.testing.assert_allclose(index.score(need, rows), expected, atol=1e-6)
