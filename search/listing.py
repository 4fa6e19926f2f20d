"""The listing: all artifacts in one order, page by page."""

from bisect import bisect_right
from collections.abc import Collection
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
        self._kept: dict[Sort, tuple[object, list[Place]]] = {}

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
        state: object = (manifest.id, manifest.created)
        if sort == "rank":
            state = (state, today, ref(graph), graph.told)
        kept = self._kept.get(sort)
        if kept is None or kept[0] != state:
            kept = state, _ordered(engine, graph, today, sort)
            self._kept[sort] = kept
        return kept[1]


def _ordered(engine: Engine, graph: MatchGraph, today: date, sort: Sort) -> list[Place]:
    catalog, ranks = engine.catalog, engine.ranks(today)
    places = []
    for position, slug in enumerate(catalog.slugs):
        key: float | str | None
        if sort == "name":
            key = catalog.at(position).name.casefold()
        elif sort == "updated":
            day = catalog.at(position).updated_at
            key = None if day is None else float(-day.toordinal())
        else:
            rank = ranks.of(position, graph.artifacts.get(slug)).value
            key = None if rank is None else -rank
        places.append(Place(key is None, 0.0 if key is None else key, slug))
    return sorted(places)
