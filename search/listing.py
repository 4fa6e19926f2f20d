"""The listing: all artifacts in one order, page by page."""

from bisect import bisect_right
from collections.abc import Callable, Collection
from datetime import date
from itertools import islice
from typing import Literal, NamedTuple
from weakref import ref

from index.artifact import Artifact
from search.engine import Engine
from search.graph import MatchGraph

Sort = Literal["rank", "name", "updated"]
"""Best first, by name without regard to case, or updated last first."""


class Place(NamedTuple):
    """Where an artifact stands in an order; what is unknown comes last, ties by slug.

    It is a place between others whether or not its artifact is still there.
    """

    unknown: bool
    key: float | str
    slug: str


class Page(NamedTuple):
    """Some artifacts in order, and the place of the last one if more follow."""

    artifacts: tuple[Artifact, ...]
    last: Place | None


class Listing:
    """All artifacts in order. The last order of each sort is kept until it changes."""

    def __init__(self) -> None:
        """Keep nothing yet."""
        self._kept: dict[str, tuple[object, list[Place]]] = {}

    def page(
        self,
        engine: Engine,
        graph: MatchGraph,
        today: date,
        sort: Sort = "rank",
        types: Collection[str] = (),
        limit: int = 20,
        after: Place | None = None,
    ) -> Page:
        """Return the next `limit` artifacts behind the place `after`, else the first.

        Only artifacts of `types`, of any if there are none. Pages by places neither
        repeat nor skip what another generation has, too, in the same order.
        """
        places = self._places(engine, graph, today, sort)
        start = 0 if after is None else bisect_right(places, after)
        catalog = engine.catalog
        found = (
            (place, catalog[place.slug])
            for place in islice(places, start, None)
            if not types or catalog.types[catalog.position(place.slug)] in types
        )
        shown = list(islice(found, limit))
        more = next(found, None) is not None
        artifacts = tuple(artifact for _, artifact in shown)
        return Page(artifacts, shown[-1][0] if more else None)

    def _places(
        self, engine: Engine, graph: MatchGraph, today: date, sort: Sort
    ) -> list[Place]:
        manifest = engine.generation.manifest
        built = (manifest.id, manifest.created)
        if sort != "rank":
            return self._once(sort, built, lambda: _ordered(engine, today, sort))
        # To rank all takes seconds where there are many; what came of some moves these.
        ranked = self._once(
            "recorded", (built, today), lambda: _ordered(engine, today, sort)
        )
        state = (built, today, ref(graph), graph.told)
        return self._once(sort, state, lambda: _moved(ranked, engine, graph, today))

    def _once(
        self, name: str, state: object, make: Callable[[], list[Place]]
    ) -> list[Place]:
        """Return what is kept under `name`, made anew if the state is another one."""
        kept = self._kept.get(name)
        if kept is None or kept[0] != state:
            kept = state, make()
            self._kept[name] = kept
        return kept[1]


def _ordered(engine: Engine, today: date, sort: Sort) -> list[Place]:
    """Return the places of all artifacts, in order; by rank as far as recorded."""
    catalog, ranks = engine.catalog, engine.ranks(today)
    places = []
    for position, slug in enumerate(catalog.slugs):
        if sort == "name":
            name = catalog.at(position).name.casefold()
            places.append(Place(unknown=False, key=name, slug=slug))
        elif sort == "updated":
            day = catalog.at(position).updated_at
            places.append(_highest(slug, None if day is None else day.toordinal()))
        else:
            places.append(_highest(slug, ranks.of(position).value))
    return sorted(places)


def _moved(
    places: list[Place], engine: Engine, graph: MatchGraph, today: date
) -> list[Place]:
    """Return `places` with those artifacts moved of which somebody said what came."""
    catalog, ranks = engine.catalog, engine.ranks(today)
    told = {
        slug: came
        for slug, came in graph.artifacts.items()
        if slug in catalog and came.success() is not None
    }
    moved = [
        _highest(slug, ranks.of(catalog.position(slug), came).value)
        for slug, came in told.items()
    ]
    return sorted([*(each for each in places if each.slug not in told), *moved])


def _highest(slug: str, value: float | None) -> Place:
    """Return a place that is the further up the higher the value, last if unknown."""
    return Place(value is None, 0.0 if value is None else float(-value), slug)
