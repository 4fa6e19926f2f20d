from random import Random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from index.hits import Ranking, first, merge, rank


@given(
    st.dictionaries(st.integers(0, 50), st.sampled_from([0.0, 0.5, 1.0]), max_size=30),
    st.integers(1, 40),
    st.randoms(),
)
def test_a_ranking_is_distinct_best_first_ties_by_row_in_any_order_given(
    scores: dict[int, float], k: int, random: Random
) -> None:
    shuffled = list(scores.items())
    random.shuffle(shuffled)
    rows = np.array([row for row, _ in shuffled], dtype=np.int64)
    values = np.array([value for _, value in shuffled], dtype=np.float64)
    ranking = rank(rows, values, k)
    expected = sorted(scores.items(), key=lambda each: (-each[1], each[0]))[:k]
    assert ranking.rows.tolist() == [row for row, _ in expected]
    assert ranking.scores.tolist() == [value for _, value in expected]


@given(
    st.lists(st.sampled_from([0.0, 0.5, 1.0]), max_size=40),
    st.lists(st.integers(0, 40), max_size=5),
    st.integers(1, 12),
)
def test_the_best_of_parts_are_those_of_the_whole(
    scores: list[float], cuts: list[int], k: int
) -> None:
    rows, values = np.arange(len(scores)), np.array(scores, dtype=np.float64)
    parts = [
        first(*own, k)
        for own in zip(
            np.split(rows, sorted(cuts)), np.split(values, sorted(cuts)), strict=True
        )
    ]
    merged, whole = merge(parts, k), rank(rows, values, k)
    assert sorted(merged.rows.tolist()) == sorted(whole.rows.tolist())
    best: Ranking = rank(*merged, k)
    assert best.rows.tolist() == whole.rows.tolist()
    assert best.scores.tolist() == whole.scores.tolist()
