import numpy as np
import pytest

from search.fusion import factors, fuse, reciprocal_rank, weights

HALF = {"keyword": 0.5, "vector": 0.5}


def test_weights_are_shares_of_the_trust() -> None:
    assert weights({"keyword": 0.5, "vector": 1.0}) == {
        "keyword": pytest.approx(1 / 3),
        "vector": pytest.approx(2 / 3),
    }
    assert weights({"keyword": 0.0, "vector": 1.0})["keyword"] == 0


def test_each_leg_adds_its_weight_times_its_share_of_its_best() -> None:
    legs = {"keyword": np.array([8.0, 2.0, 0.0]), "vector": np.array([0.3, 0.6, 0.0])}
    shares = {"keyword": 0.25, "vector": 0.75}
    fused = fuse(legs, factors(legs, shares)).tolist()
    expected = [0.25 * 8 / 8 + 0.75 * 0.3 / 0.6, 0.25 * 2 / 8 + 0.75, 0]
    assert fused == pytest.approx(expected)


def test_the_best_of_all_legs_scores_one() -> None:
    legs = {"keyword": np.array([3.0]), "vector": np.array([0.1])}
    assert fuse(legs, factors(legs, HALF)).tolist() == [pytest.approx(1)]


def test_a_leg_that_matches_nothing_adds_nothing() -> None:
    legs = {"keyword": np.zeros(2), "vector": np.array([0.5, 0.25])}
    assert factors(legs, HALF)["keyword"] == 0
    assert fuse(legs, factors(legs, HALF)).tolist() == pytest.approx([0.5, 0.25])


def test_no_candidates_have_no_scores() -> None:
    legs = {"keyword": np.zeros(0), "vector": np.zeros(0)}
    assert fuse(legs, factors(legs, HALF)).tolist() == []


def test_reciprocal_ranks_add_up_over_the_legs_that_match() -> None:
    legs = {"keyword": np.array([0.0, 9.0, 1.0]), "vector": np.array([0.9, 0.8, 0.1])}
    expected = [1 / (60 + 1), 1 / (60 + 1) + 1 / (60 + 2), 1 / (60 + 2) + 1 / (60 + 3)]
    assert reciprocal_rank(legs).tolist() == pytest.approx(expected)
