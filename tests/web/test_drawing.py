"""The drawing of the match graph: what is in it, and what it costs."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from index.catalog import Catalog
from index.events import MatchEvent
from search.graph import SHARED, MatchGraph
from web import drawing
from web.drawing import DRAWN, Drawings, drawn

START = datetime(2026, 11, 1, tzinfo=UTC)


def asked(need: str, times: int, slug: str = "kosmos-2") -> Iterator[MatchEvent]:
    """Yield a hit that worked, each time for another source."""
    for number in range(times):
        match, at = f"{need} {number}", START + timedelta(hours=number)
        told = partial(
            MatchEvent, need=need, at=at, artifact=slug, match=match, source=match
        )
        capability = "grounded-captioning" if slug == "kosmos-2" else None
        yield told(f"{match} s", outcome="shown", position=1, capability=capability)
        yield told(f"{match} w", outcome="worked")


@pytest.fixture
def graph() -> MatchGraph:
    return MatchGraph(
        [
            *asked("captions", SHARED + 1),
            *asked("pictures", SHARED, "sketcher"),
            *asked("secret", SHARED - 1),
            *asked("of one that left", SHARED, "gone"),
        ]
    )


def test_needs_capabilities_and_artifacts_are_drawn(
    graph: MatchGraph, catalog: Catalog
) -> None:
    found = drawn(graph, catalog)
    assert [each["need"] for each in found["needs"]] == ["captions", "pictures"]
    first, second = found["artifacts"]
    assert first["capability"]["name"] == "Grounded captioning"
    assert second["capability"] is None
    counts = {"shown": 4, "chosen": 0, "worked": 4, "failed": 0}
    assert {"need": 0, "artifact": 0, **counts} in found["edges"]


def test_it_is_drawn_around_what_is_chosen(graph: MatchGraph, catalog: Catalog) -> None:
    around = drawn(graph, catalog, need="Captions!")
    assert [each["slug"] for each in around["artifacts"]] == ["kosmos-2"]
    around = drawn(graph, catalog, artifact="sketcher")
    assert [each["need"] for each in around["needs"]] == ["pictures"]
    assert drawn(graph, catalog, need="secret")["edges"] == []
    assert drawn(graph, catalog, artifact="gone")["edges"] == []


def test_many_needs_are_drawn_as_few(catalog: Catalog) -> None:
    events = (each for number in range(3 * DRAWN) for each in asked(f"n{number}", 3))
    found = drawn(MatchGraph(events), catalog)
    assert len(found["needs"]) == len(found["edges"]) == DRAWN


def test_a_drawing_is_made_once_in_a_while(
    graph: MatchGraph, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawings = Drawings()
    first = drawings.around(graph, catalog, "1")
    for each in asked("captions again", SHARED):
        graph.fold(each)
    assert drawings.around(graph, catalog, "1") is first
    assert drawings.around(graph, catalog, "2") is not first
    monkeypatch.setattr(drawing, "KEPT_S", 0.0)
    later = drawings.around(graph, catalog, "1")
    assert len(later["needs"]) == len(first["needs"]) + 1


def test_drawings_that_are_kept_are_bounded(
    graph: MatchGraph, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drawing, "KEPT", 2)
    drawings = Drawings()
    first = drawings.around(graph, catalog, "1")
    for number in range(3):
        drawings.around(graph, catalog, "1", need=f"need {number}")
    assert drawings.around(graph, catalog, "1") is not first
