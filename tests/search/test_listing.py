from datetime import UTC, date, datetime

import pytest

from index.builder import build
from index.events import MatchEvent, Outcome
from index.home import Home
from search.engine import Engine
from search.graph import MatchGraph
from search.listing import Listing, Place, Sort
from tests.conftest import HashingEncoder, to_catalog

TODAY = date(2026, 9, 1)


def artifact(slug: str, **more: object) -> dict[str, object]:
    capability = {"name": f"Do {slug}", "description": f"Does {slug} for people."}
    whole = {"slug": slug, "name": slug, "type": "app", "capabilities": [capability]}
    return {**whole, **more}


def stars(value: float) -> list[dict[str, object]]:
    source = "https://example.org/stars"
    figure = {"name": "stars", "value": value, "as_of": "2026-08-01", "source": source}
    return [figure]


SOME = [
    artifact("plain", name="alpha"),
    artifact("new", name="Beta", updated_at="2026-08-01", signals=stars(100)),
    artifact("old", name="Gamma", updated_at="2020-01-01"),
    artifact("loved", name="delta", type="mcp", signals=stars(100_000)),
    artifact("also-plain", name="Alpha"),
]


@pytest.fixture
def engine(home: Home) -> Engine:
    encoder = HashingEncoder()
    build(to_catalog(SOME), encoder, home)
    return Engine(home.open(), encoder)


def slugs(engine: Engine, sort: Sort, limit: int = 2, types: str = "") -> list[str]:
    """Return all artifacts of a listing, read page by page."""
    listing, found, after = Listing(), list[str](), None
    while True:
        page = listing.page(
            engine, MatchGraph(), TODAY, sort, types.split(), limit, after
        )
        assert len(page.artifacts) <= limit
        found += [each.slug for each in page.artifacts]
        after = page.last
        if after is None:
            return found


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 50])
def test_what_is_unknown_comes_last_and_ties_go_by_slug(
    engine: Engine, limit: int
) -> None:
    with engine:
        by_update = slugs(engine, "updated", limit)
        by_name = slugs(engine, "name", limit)
        by_rank = slugs(engine, "rank", limit)
    assert by_update == ["new", "old", "also-plain", "loved", "plain"]
    assert by_name == ["also-plain", "plain", "new", "loved", "old"]
    assert by_rank[-2:] == ["also-plain", "plain"]
    assert sorted(by_rank) == sorted(by_name)


def test_only_some_types_are_listed(engine: Engine) -> None:
    with engine:
        assert slugs(engine, "name", 1, "mcp") == ["loved"]
        assert slugs(engine, "name", 1, "mcp dataset") == ["loved"]
        assert slugs(engine, "name", 1, "dataset") == []


def test_pages_neither_repeat_nor_skip_across_a_switch(
    engine: Engine, home: Home
) -> None:
    listing, graph = Listing(), MatchGraph()
    with engine:
        first = listing.page(engine, graph, TODAY, "name", limit=2)
    assert [each.slug for each in first.artifacts] == ["also-plain", "plain"]
    # The last artifact shown goes, one comes before it, one behind it.
    left = [each for each in SOME if each["slug"] != "plain"]
    added = [artifact("aaa", name="Aaa"), artifact("between", name="Band")]
    encoder = HashingEncoder()
    build(to_catalog([*left, *added]), encoder, home)
    with Engine(home.open(), encoder) as switched:
        rest = listing.page(switched, graph, TODAY, "name", limit=9, after=first.last)
    assert [each.slug for each in rest.artifacts] == ["between", "new", "loved", "old"]
    assert rest.last is None


def test_a_place_need_not_be_that_of_an_artifact(engine: Engine) -> None:
    with engine:
        place = Place(True, 0.0, "zzz")
        page = Listing().page(engine, MatchGraph(), TODAY, "updated", after=place)
    assert page == ((), None)


def test_what_came_of_hits_counts_at_once(engine: Engine) -> None:
    listing, graph = Listing(), MatchGraph()

    def last(known: MatchGraph) -> str:
        """Return what comes last: nothing is known of its rank."""
        return listing.page(engine, known, TODAY).artifacts[-1].slug

    with engine:
        assert last(graph) == "plain"
        at = datetime(2026, 8, 30, tzinfo=UTC)
        graph.fold(MatchEvent("1", "a need", "worked", at, artifact="plain"))
        assert last(graph) == "also-plain"
        assert last(MatchGraph()) == "plain"


def test_what_came_of_some_moves_these_to_where_their_rank_is(engine: Engine) -> None:
    listing, graph = Listing(), MatchGraph()
    told: list[tuple[str, Outcome]] = [("plain", "worked"), ("loved", "failed")]
    told += [("old", "worked"), ("no such", "worked")]
    with engine:
        for number, (slug, outcome) in enumerate(told):
            at = datetime(2026, 8, 30, number, tzinfo=UTC)
            graph.fold(MatchEvent(f"{number}", "a need", outcome, at, artifact=slug))
            ranks, catalog = engine.ranks(TODAY), engine.catalog
            values = {
                each: ranks.of(catalog.position(each), graph.artifacts.get(each)).value
                for each in catalog
            }
            known = [each for each in catalog if values[each] is not None]
            order = sorted(known, key=lambda each: (-(values[each] or 0), each))
            listed = listing.page(engine, graph, TODAY).artifacts
            assert [each.slug for each in listed][: len(order)] == order
            assert len(listed) == len(SOME)
