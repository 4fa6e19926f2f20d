from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest
from numpy.typing import NDArray

from index import vector
from index.vector import Neighbours, VectorIndex


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


MANY = 2000


def clustered(rows: int, width: int = 32) -> NDArray[np.float32]:
    chance = np.random.default_rng(5)
    centres = chance.normal(size=(50, width))
    vectors = centres[chance.integers(0, 50, rows)]
    vectors += 0.5 * chance.normal(size=(rows, width))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32)


@pytest.fixture
def _few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vector, "MANY", MANY)


def recall(neighbours: Neighbours, vectors: NDArray[np.float32], k: int) -> float:
    found = 0
    for need in vectors[::200]:
        rows, cosines = neighbours.search(need, k)
        np.testing.assert_allclose(cosines, vectors[rows] @ need, atol=1e-5)
        assert np.all(np.diff(cosines) <= 0)
        nearest = np.argsort(-(vectors @ need))[:k]
        found += len(np.intersect1d(rows, nearest))
    return found / (k * len(vectors[::200]))


def test_few_neighbours_are_searched_exactly() -> None:
    vectors = clustered(MANY)
    assert recall(Neighbours(vectors), vectors, 100) == 1
    rows, cosines = Neighbours(vectors[:3]).search(vectors[1], 100)
    assert rows[0] == 1
    assert cosines.shape == (3,)


@pytest.mark.usefixtures("_few_are_many")
@pytest.mark.parametrize(("width", "least"), [(32, 0.98), (33, 1.0)])
def test_of_many_neighbours_nearly_all_are_found(width: int, least: float) -> None:
    vectors = clustered(2 * MANY, width)
    neighbours = Neighbours(vectors)
    assert recall(neighbours, vectors, 100) >= least
    # What is proposed is looked at exactly: else a wrong one would come first.
    assert [neighbours.search(each, 20)[0][0] for each in vectors[:50]] == [*range(50)]
    assert len(neighbours.search(vectors[0], 9 * MANY)[0]) == 2 * MANY


@pytest.mark.usefixtures("_few_are_many")
@pytest.mark.parametrize("first", [MANY - 1, MANY, 2 * MANY])
def test_further_neighbours_are_found_and_old_ones_stay(first: int) -> None:
    vectors = clustered(3 * MANY)
    before = Neighbours(vectors[:first])
    after = Neighbours(vectors, before)
    assert recall(after, vectors, 100) >= 0.97
    assert recall(before, vectors[:first], 100) >= 0.98
    again = Neighbours(vectors[::-1], after)
    assert recall(again, vectors[::-1], 100) >= 0.98


@pytest.mark.usefixtures("_few_are_many")
def test_codes_are_made_anew_only_after_much_growth(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[int] = []
    train = faiss.IndexPQFastScan.train

    def noted(*given: Any) -> None:
        made.append(1)
        train(*given)

    monkeypatch.setattr(faiss.IndexPQFastScan, "train", noted)
    vectors = clustered(3 * MANY)
    neighbours = Neighbours(vectors[:MANY])
    for count, times in ((MANY + 1, 1), (2 * MANY, 1), (2 * MANY + 1, 2)):
        neighbours = Neighbours(vectors[:count], neighbours)
        assert len(made) == times
