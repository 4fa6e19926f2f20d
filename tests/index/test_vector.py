from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest
from numpy.typing import NDArray

from index import vector
from index.encoder import Vectors
from index.hits import merge, rank
from index.vector import HUGE, Neighbours, VectorIndex


def unit(rows: int, width: int = 16) -> NDArray[np.float32]:
    vectors = np.random.default_rng(7).normal(size=(rows, width)).astype(np.float32)
    norms: NDArray[np.float32] = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / norms).astype(np.float32)


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


def built(vectors: Vectors, folder: Path) -> tuple[VectorIndex, dict[str, Any]]:
    needs = vectors[::40]
    form = vector.build(vectors, needs, vector.nearest(needs, vectors), folder)
    return VectorIndex(folder, form), form


def test_few_capabilities_are_searched_exactly(tmp_path: Path) -> None:
    index, form = built(clustered(MANY - 1), tmp_path)
    assert form["kind"] == "flat"
    assert not (tmp_path / vector.CODES).exists()
    need = unit(1, 32)[0]
    nearest = np.argsort(-(index.vectors @ need))[:20]
    assert index.propose(need, 20).rows.tolist() == nearest.tolist()
    assert len(index.propose(need, 2 * MANY).rows) == MANY - 1


def test_scores_are_inner_products_whichever_rows_are_beside(tmp_path: Path) -> None:
    index, _ = built(clustered(300), tmp_path)
    need, rows = unit(1, 32)[0], np.arange(0, 300, 7)
    scores = index.score(need, rows)
    np.testing.assert_allclose(scores, index.vectors[rows] @ need, atol=1e-6)
    alone = [float(index.score(need, np.array([row]))[0]) for row in rows]
    assert alone == scores.tolist()


@pytest.mark.usefixtures("_few_are_many")
@pytest.mark.parametrize(
    ("huge", "kind", "width"), [(HUGE, "pq", 32), (0, "ivf", 32), (0, "flat", 33)]
)
def test_of_many_capabilities_nearly_all_nearest_are_proposed(
    huge: int, kind: str, width: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vector, "HUGE", huge)
    index, form = built(clustered(3 * MANY, width), tmp_path)
    assert form["kind"] == kind
    needs = clustered(3 * MANY, width)[5::300]
    near = vector.nearest(needs, index.vectors).rows
    hits = [
        len(np.intersect1d(index.propose(need, 100).rows, rows))
        for need, rows in zip(needs, near, strict=True)
    ]
    assert form["recall"] >= vector.RECALL
    assert np.mean(hits) / near.shape[1] == pytest.approx(form["recall"], abs=0.02)


@pytest.mark.usefixtures("_few_are_many")
@pytest.mark.parametrize("count", [MANY // 2, 3 * MANY])
@pytest.mark.parametrize("share", [0.5, 0.02, 0.001, 0])
def test_only_what_is_wanted_is_proposed(
    count: int, share: float, tmp_path: Path
) -> None:
    index, _ = built(clustered(count), tmp_path)
    among = np.random.default_rng(3).random(count) < share
    need = unit(1, 32)[0]
    found = index.propose(need, 50, among).rows
    assert among[found].all()
    assert len(set(found.tolist())) == len(found) >= min(50, among.sum())
    wanted = np.flatnonzero(among)
    best = wanted[np.argsort(-(index.vectors[wanted] @ need))][:20]
    assert len(np.intersect1d(found, best)) >= 0.95 * len(best)


@pytest.mark.usefixtures("_few_are_many")
@pytest.mark.parametrize(
    ("count", "huge", "kind"),
    [(MANY // 2, HUGE, "flat"), (3 * MANY, HUGE, "pq"), (3 * MANY, 0, "ivf")],
)
@pytest.mark.parametrize("share", [None, 0.5, 0.1])
def test_parts_together_propose_what_the_whole_does(
    count: int,
    huge: int,
    kind: str,
    share: float | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(vector, "HUGE", huge)
    vectors = clustered(count)
    vectors[100:160] = vectors[100]  # capabilities that say the same tie, whatever k
    whole, form = built(vectors, tmp_path)
    assert form["kind"] == kind
    form |= {"proposed": 50}
    whole = VectorIndex(tmp_path, form)
    cuts = [slice(0, 130), slice(130, 131), slice(131, 700), slice(700, count)]
    parts = [(each, VectorIndex(tmp_path, form, each)) for each in cuts]
    among = None if share is None else np.random.default_rng(3).random(count) < share
    for need in [vectors[100], *unit(20, 32)]:
        allowed = count if among is None else int(among.sum())
        for depth in (
            whole.depth(40, allowed),
            whole.depth(40, allowed)._replace(cosines=True),
        ):
            found = [
                part.near(need, depth, None if among is None else among[cut])
                for cut, part in parts
            ]
            merged = rank(*merge(found, depth.k), depth.k)
            best = rank(*whole.near(need, depth, among), depth.k)
            assert merged.rows.tolist() == best.rows.tolist()
            assert merged.scores.tolist() == best.scores.tolist()
    scores = [part.score(need, np.arange(count)[cut]) for cut, part in parts]
    assert (
        np.concatenate(scores).tolist() == whole.score(need, np.arange(count)).tolist()
    )


@pytest.mark.usefixtures("_few_are_many")
def test_what_no_cell_that_is_looked_at_holds_is_proposed_by_its_cosine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vector, "HUGE", 0)
    vectors = clustered(3 * MANY)
    _, form = built(vectors, tmp_path)
    index = VectorIndex(tmp_path, form | {"probes": 1, "proposed": 50})
    need = vectors[0]
    among = np.ones(len(vectors), dtype=np.bool_)
    among[np.argsort(-(vectors @ need))[:1000]] = False
    found = index.propose(need, 50, among)
    wanted = np.flatnonzero(among)
    best = wanted[np.argsort(-(vectors[wanted] @ need))][:50]
    assert sorted(found.rows.tolist()) == sorted(best.tolist())


def test_more_is_proposed_until_enough_of_the_nearest_are_among_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vector, "MANY", MANY)
    monkeypatch.setattr(vector, "PROPOSED", 100)
    noise = unit(3 * MANY, 32)  # no codes of two bits a dimension tell these apart
    _, form = built(noise, tmp_path)
    assert form["proposed"] > 100
    assert form["recall"] >= vector.RECALL or form["proposed"] >= vector.NEVER_MORE


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
