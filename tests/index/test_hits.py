from random import Random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from index.hits import rank


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
