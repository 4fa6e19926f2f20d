from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search import columns
from search.columns import Columns, key_of

KEYS = st.integers(0, 12)


@given(st.lists(st.tuples(KEYS, st.integers(-1, 2), st.booleans())), st.integers(1, 9))
def test_rows_are_what_was_added_less_what_was_removed(
    steps: list[tuple[int, int, bool]], fresh: int
) -> None:
    rows, expected = Columns(np.int32, np.float64, fresh=fresh), dict[int, list[Any]]()
    for key, times, away in steps:
        if away:
            assert rows.pop(key) == expected.pop(key, None)
            continue
        if times:
            rows.add(key, times, times / 2)
        before = expected.pop(key, [0, 0.0])
        if after := before[0] + times:
            expected[key] = [after, before[1] + times / 2]
    for key in range(13):
        assert rows.get(key) == expected.get(key)
        assert (key in rows) == (key in expected)
    assert len(rows) == len(expected)
    assert dict(rows.between(3, 9)) == {
        key: row for key, row in expected.items() if 3 <= key < 9
    }
    keys, values = rows.whole()
    assert keys.tolist() == sorted(expected)
    filled = Columns(np.int32, np.float64)
    filled.fill(keys, *values)
    assert filled == rows
    filled.add(99, 1, 1.0)
    assert filled != rows
    assert rows != 0


def test_runs_are_few_and_none_is_merged_beyond_a_size(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(columns, "LARGEST", 64)
    rows = Columns(np.uint8, fresh=2)
    for key in range(1000):
        rows.add(key * 7919 % 1000, 1)
    sizes = [len(each.keys) for each in rows._runs]
    assert sum(sizes) == len(rows) == 1000
    assert max(sizes) == 64
    assert all(count == 1 for size, count in Counter(sizes).items() if size < 32)


def test_a_key_is_of_all_parts_and_always_the_same() -> None:
    assert key_of("a", "b") == 4792236251061426508
    parts = ("a", "b"), ("ab",), ("a\0b",), ("a", "\ud800")
    assert len({key_of(*each) for each in parts}) == len(parts)
