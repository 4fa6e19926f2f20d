import math

from search.explanation import Explanation

LEAVES = (Explanation(0.5, "a"), Explanation(0.25, "b"))


def test_a_total_is_the_sum_of_its_parts() -> None:
    tree = Explanation.total("all", (Explanation.total("two", LEAVES), LEAVES[0]))
    assert tree.value == 1.25
    assert [leaf.text for leaf in tree.leaves()] == ["a", "b", "a"]


def test_scaling_scales_every_part() -> None:
    tree = Explanation.total("two", LEAVES).scaled(2)
    assert tree.value == 1.5
    assert math.fsum(leaf.value for leaf in tree.leaves()) == tree.value


def test_the_sum_of_nothing_is_zero() -> None:
    assert Explanation.total("none", ()).value == 0
