import numpy as np
import pytest

from search.fusion import WEIGHTS, factors, fuse

KEYWORD, VECTOR = WEIGHTS["keyword"], WEIGHTS["vector"]


def test_each_leg_adds_its_weight_times_its_share_of_its_best() -> None:
    legs = {"keyword": np.array([8.0, 2.0, 0.0]), "vector": np.array([0.3, 0.6, 0.0])}
    expected = [KEYWORD * 8 / 8 + VECTOR * 0.3 / 0.6, KEYWORD * 2 / 8 + VECTOR, 0]
    np.testing.assert_allclose(fuse(legs, factors(legs)), expected)


def test_weights_sum_to_one_so_that_the_best_of_all_legs_scores_one() -> None:
    assert pytest.approx(1) == KEYWORD + VECTOR
    legs = {"keyword": np.array([3.0]), "vector": np.array([0.1])}
    assert fuse(legs, factors(legs)).tolist() == [pytest.approx(1)]


def test_a_leg_that_matches_nothing_adds_nothing() -> None:
    legs = {"keyword": np.zeros(2), "vector": np.array([0.5, 0.25])}
    assert factors(legs)["keyword"] == 0
    np.testing.assert_allclose(fuse(legs, factors(legs)), [VECTOR, VECTOR / 2])


def test_no_candidates_have_no_scores() -> None:
    legs = {"keyword": np.zeros(0), "vector": np.zeros(0)}
    assert fuse(legs, factors(legs)).tolist() == []
