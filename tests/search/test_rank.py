import math
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.builder import build
from index.generation import Generation
from index.home import Home
from search.graph import Outcomes
from search.rank import WEIGHTS, Component, Rank, Ranks, ahead, combined
from tests.conftest import HashingEncoder, to_catalog

TODAY = date(2026, 11, 21)

shares = st.floats(0, 1)


def component(name: str, value: float | None, half: float = 0.1) -> Component:
    if value is None:
        return Component(name, WEIGHTS[name])
    low, high = max(0.0, value - half), min(1.0, value + half)
    return Component(name, WEIGHTS[name], value, low, high, 1.0)


def rank(*values: float | None, half: float = 0.1) -> Rank:
    pairs = zip(WEIGHTS, values, strict=True)
    return combined(tuple(component(name, value, half) for name, value in pairs))


ranks = st.lists(
    st.one_of(st.none(), shares), min_size=len(WEIGHTS), max_size=len(WEIGHTS)
).map(lambda values: rank(*values))


def test_weights_add_up_to_one() -> None:
    assert sum(WEIGHTS.values()) == pytest.approx(1)


@given(ranks)
def test_a_rank_lies_in_its_interval_and_is_the_sum_of_its_parts(each: Rank) -> None:
    if each.value is None:
        assert each.interval is None
        assert each.parts() == []
        return
    low, high = each.interval or (math.nan, math.nan)
    assert 0 <= low <= each.value + 1e-9
    assert each.value - 1e-9 <= high <= 100
    assert sum(part for _, part in each.parts()) == pytest.approx(each.value)


def test_what_is_unknown_is_left_out_and_widens_the_interval() -> None:
    full = rank(0.6, 0.6, 0.6, 0.6, 0.6)
    partly = rank(0.6, None, 0.6, None, 0.6)
    assert partly.value == pytest.approx(full.value) == pytest.approx(60)
    assert partly.low is not None and full.low is not None
    assert partly.high is not None and full.high is not None
    assert partly.low < full.low < full.high < partly.high
    assert rank(*[None] * 5).value is None


@given(ranks, ranks)
def test_who_is_ahead_is_the_same_from_either_side(a: Rank, b: Rank) -> None:
    one, other = ahead(a, b), ahead(b, a)
    if one is None or other is None:
        assert one is other is None
        return
    assert one == (other.b, other.a, other.components)
    assert one.a + one.b <= 1


def test_ahead_in_all_components_is_ahead_however_they_are_weighed() -> None:
    one, other = rank(0.9, 0.8, None, 0.3, 0.5), rank(0.8, 0.7, 0.9, 0.2, None)
    assert ahead(one, other) == (1.0, 0.0, 3)
    assert ahead(rank(0.5, *[None] * 4), rank(0.5, *[None] * 4)) == (0, 0, 1)
    even = ahead(rank(0.9, 0.1, *[None] * 3), rank(0.1, 0.9, *[None] * 3))
    assert even is not None
    assert even.a == pytest.approx(0.5, abs=0.02)
    assert ahead(rank(0.5, *[None] * 4), rank(None, 0.5, *[None] * 3)) is None


def test_weights_decide_how_much_each_component_adds() -> None:
    values = (0.1, 0.8, 0.2, 0.3, 0.4)
    weighed = sum(w * v for w, v in zip(WEIGHTS.values(), values, strict=True))
    assert rank(*values).value == pytest.approx(100 * weighed)


ARTIFACT: dict[str, Any] = {
    "slug": "full",
    "name": "Full",
    "type": "cli",
    "url": "https://example.org",
    "license": "MIT",
    "updated_at": "2026-05-21",
    "evidence": {"license": {"source": "https://example.org/l", "as_of": "2026-11-01"}},
    "sources": ["https://docs.example.org/start"],
    "signals": [
        {
            "name": "github_stars",
            "value": 999,
            "as_of": "2025-11-21",
            "source": "https://example.org/stars",
        },
        {
            "name": "dependents",
            "value": 99,
            "as_of": "2026-11-21",
            "source": "https://example.org/dependents",
        },
    ],
    "capabilities": [{"name": "Work", "description": "Works."}],
}

BARE: dict[str, Any] = {
    "slug": "bare",
    "name": "Bare",
    "type": "cli",
    "capabilities": [{"name": "Rest", "description": "Rests beside Full."}],
}


@pytest.fixture
def generation(home: Home, encoder: HashingEncoder) -> Iterator[Generation]:
    build(to_catalog([ARTIFACT, BARE]), encoder, home)
    with home.open() as opened:
        yield opened


def parts(generation: Generation, slug: str, came: Outcomes | None = None) -> Any:
    found = Ranks(generation, TODAY).of(generation.catalog.position(slug), came)
    return found, {each.name: each for each in found.components}


def test_every_component_has_its_observations_and_sources(
    generation: Generation,
) -> None:
    came = Outcomes()
    for outcome in ("worked", "worked", "worked", "failed"):
        came.add(outcome, datetime(2026, 11, 20, tzinfo=UTC))
    found, by = parts(generation, "full", came)
    assert by["adoption"].value == 1
    assert by["adoption"].n == pytest.approx(0.5, abs=0.01)  # the figure is a year old
    assert by["adoption"].sources[0].address == "https://example.org/stars"
    assert by["quality"].value == 1
    assert [each.text for each in by["quality"].sources] == [
        "licence MIT",
        "documentation",
        "last update",
    ]
    assert by["ecosystem"].n == pytest.approx(2)
    assert by["ecosystem"].sources[0].text == "named by Bare"
    assert by["match"].value == pytest.approx(4 / 6, abs=0.01)
    assert by["match"].sources[0].text == "3 said it worked, 1 it failed"
    assert by["freshness"].value == pytest.approx(0.5**0.5, abs=0.01)
    assert by["freshness"].low == by["freshness"].value < by["freshness"].high
    assert found.version == "1"


def test_what_no_record_says_is_unknown_never_zero(generation: Generation) -> None:
    found, by = parts(generation, "bare")
    assert found.value is None
    assert {each.value for each in by.values()} == {None}


@pytest.mark.parametrize(
    ("license_", "updated", "value"),
    [
        ("LicenseRef-Own", None, 0.5),
        (None, "2026-01-01", 1.0),
        (None, "2025-01-01", 0.5),
        (None, "2020-01-01", 0.0),
    ],
)
def test_quality_is_that_of_the_artifact(
    home: Home,
    encoder: HashingEncoder,
    license_: str | None,
    updated: str | None,
    value: float,
) -> None:
    build(
        to_catalog([BARE | {"license": license_, "updated_at": updated}]),
        encoder,
        home,
    )
    with home.open() as opened:
        _, by = parts(opened, "bare")
    assert by["quality"].value == value
    assert by["quality"].n == 1
    assert by["quality"].high - by["quality"].low > 0.5  # one observation proves little
