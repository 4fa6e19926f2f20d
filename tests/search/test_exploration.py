from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.exploration import DEEPER, LAST, Place, explored


@given(st.integers(0, 60), st.floats(0, 1), st.text(max_size=20))
def test_no_hit_is_repeated_or_left_out(count: int, rate: float, seed: str) -> None:
    shown = explored(range(count), rate, seed)
    assert sorted(each.place for each in shown) == [*range(count)]
    assert [each.place for each in shown[: LAST - 1]] == [*range(min(count, LAST - 1))]
    assert all(0 <= each.probability <= 1 for each in shown)
    assert shown == explored(range(count), rate, seed)


def test_without_a_rate_nothing_is_explored() -> None:
    assert explored(range(40), 0.0, "x") == [(place, 1.0) for place in range(40)]
    assert explored(range(LAST), 1.0, "x") == [(place, 1.0) for place in range(LAST)]


def test_each_later_hit_gets_the_tenth_place_as_often_as_its_probability_says() -> None:
    rate, times = 0.4, 5000
    tenth = Counter(
        explored(range(100), rate, f"need {number}")[LAST - 1]
        for number in range(times)
    )
    assert {each.place for each in tenth} == {LAST - 1, *range(LAST, LAST + DEEPER)}
    for each, count in tenth.items():
        assert count / times == pytest.approx(each.probability, rel=0.5)
    assert tenth[Place(LAST - 1, 1 - rate)] / times == pytest.approx(1 - rate, abs=0.03)
