"""The worst needs are answered as any other, by an amount of work that is bounded."""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import pytest

from index.home import Home
from search.engine import Engine
from search.need import MAX_LENGTH, Need
from search.reading import ANCHORS, CONSTRAINTS
from tests.conftest import HashingEncoder
from tests.resilience.processes import ROOT
from tests.resilience.work import build_changed
from tests.resilience.worst import NEEDS, worst

USUAL = "grounded captioning on an edge device, free, not from OpenAI"

OURS = tuple(str(ROOT / package) for package in ("index", "search"))

BOUND = 12
"""Times the function calls that a usual need takes; one of 500 characters is eight
times as long."""


@pytest.fixture(scope="module")
def engine(shared: Path) -> Iterator[Engine]:
    build_changed(shared, 0)
    with Home(shared).open() as generation:
        yield Engine(generation, HashingEncoder())


def calls(engine: Engine, text: str) -> int:
    """Return how many functions of ours are called to answer a need."""
    count = 0

    def counted(frame: FrameType, event: str, _: object) -> None:
        nonlocal count
        count += event == "call" and frame.f_code.co_filename.startswith(OURS)

    need = Need.read(text)
    sys.setprofile(counted)
    try:
        engine.search(need)
    finally:
        sys.setprofile(None)
    return count


def needs(engine: Engine) -> list[str]:
    names = [each.name for each in engine.catalog.values()]
    return worst(names, [*engine.generation.spelling._counts])


def test_each_worst_need_is_answered_with_bounded_work(engine: Engine) -> None:
    calls(engine, USUAL)  # what is made once is made
    usual = calls(engine, "another " + USUAL)
    asked = needs(engine)
    assert len({*asked}) == NEEDS
    for text in asked:
        assert len(text) <= MAX_LENGTH
        assert calls(engine, text) < BOUND * usual, text


def test_a_worst_need_does_not_hide_what_is_asked_for(engine: Engine) -> None:
    noise = ["(" * 200 + ")" * 200, "\u202e" * 90, '"' * 300, "* ? ~ ^ AND OR " * 20]
    for each in noise:
        answer = engine.search(Need.read(f"grounded captioning {each}"))
        assert answer.hits[0].artifact.slug == "kosmos-2", each


def test_no_more_is_read_of_a_need_than_is_looked_up_at_once(engine: Engine) -> None:
    for text in needs(engine):
        need = engine.ranker.understand(Need.read(text))
        assert len(need.anchors) <= ANCHORS, text
        assert len(need.constraints) <= CONSTRAINTS + 8, text  # what one step may add
    listed = "instead of " + ", ".join(["Kosmos-2", "Sketcher", "Postgres MCP"] * 10)
    assert len(engine.ranker.understand(Need.read(listed)).anchors) == ANCHORS
