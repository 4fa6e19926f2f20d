"""Facets are counted over all that matches, and keep to what is known."""

import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from index.builder import build
from index.home import Home
from search import facets
from search.engine import Engine
from search.facets import FACETS
from search.need import Need
from tests.conftest import HashingEncoder, to_catalog

NEED = "draws pictures"
KINDS = {"MIT": "permissive", "GPL-3.0-only": "copyleft"}


def record(number: int, dice: random.Random) -> dict[str, Any]:
    """Return an artifact that matches, with random facts, each unknown at times."""
    facts = {
        "slug": f"artifact-{number}",
        "name": f"Artifact {number}",
        "type": dice.choice(["model", "app", "mcp"]),
        "provider": dice.choice(["One & Co", "Zwei=Drei", None]),
        "license": dice.choice([*KINDS, None]),
        "pricing": dice.choice([{"model": "free"}, {"model": "paid"}, None]),
        "facts": {"deployment": dice.sample(["edge", "cloud_api", "browser"], 2)}
        if dice.random() < 0.7
        else {},
        "capabilities": [
            {"name": "Pictures", "description": "Draws pictures of anything."}
        ],
    }
    return {name: value for name, value in facts.items() if value is not None}


def values(artifact: dict[str, Any], facet: str) -> list[str]:
    """Return what a record says of a facet; of a licence also what it allows."""
    if facet == "deployment":
        return list(artifact["facts"].get("deployment", []))
    if facet == "pricing":
        return [artifact["pricing"]["model"]] if "pricing" in artifact else []
    own = [artifact[facet]] if facet in artifact else []
    return own + [KINDS[each] for each in own if facet == "license"]


RECORDS = [record(number, random.Random(number)) for number in range(60)]


@pytest.fixture
def engine(home: Home, encoder: HashingEncoder) -> Iterator[Engine]:
    build(to_catalog(RECORDS), encoder, home)
    with home.open() as generation:
        yield Engine(generation, encoder)


def found(engine: Engine, **kept: list[str]) -> list[str]:
    """Return all slugs that an answer has, page by page."""
    need = Need.read(NEED, facets=kept)
    pages = [engine.search(need, 7, start).hits for start in range(0, 70, 7)]
    return [hit.artifact.slug for page in pages for hit in page]


ASKED: list[dict[str, list[str]]] = [
    {},
    {"type": ["model"]},
    {"deployment": ["edge"], "license": ["permissive"]},
    {"deployment": ["edge", "browser"], "pricing": ["free"], "type": ["app", "mcp"]},
    {"provider": ["Zwei=Drei"]},
    {"license": ["MIT"]},
]


def is_kept(artifact: dict[str, Any], asked: dict[str, list[str]], but: str) -> bool:
    """Return whether a record has what is asked for of all facets but one."""
    return all(
        set(values(artifact, facet)) & set(wanted)
        for facet, wanted in asked.items()
        if facet != but
    )


@pytest.mark.parametrize("asked", ASKED)
def test_counts_are_those_of_all_that_match(
    engine: Engine, asked: dict[str, list[str]]
) -> None:
    answer = engine.search(Need.read(NEED, facets=asked), 5)
    expected = {each["slug"] for each in RECORDS if is_kept(each, asked, but="")}
    assert answer.total == len(expected)
    assert set(found(engine, **asked)) == expected
    assert list(answer.facets) == list(FACETS)
    for facet, counts in answer.facets.items():
        counted = Counter(
            value
            for each in RECORDS
            if is_kept(each, asked, but=facet)
            for value in values(each, facet)
            if value not in KINDS or value in asked.get(facet, ())
        )
        assert counts == dict(counted)
        assert [*counts.values()] == sorted(counts.values(), reverse=True)


@pytest.mark.parametrize("asked", ASKED)
def test_a_count_is_what_one_gets_by_asking_for_the_value(
    engine: Engine, asked: dict[str, list[str]]
) -> None:
    answer = engine.search(Need.read(NEED, facets=asked), 1)
    for facet, counts in answer.facets.items():
        for value, count in counts.items():
            chosen = Need.read(NEED, facets={**asked, facet: [value]})
            assert engine.search(chosen, 1).total == count


def test_a_value_that_nothing_has_is_counted_where_it_is_asked_for(
    engine: Engine,
) -> None:
    answer = engine.search(Need.read(NEED, facets={"provider": ["Nobody"]}))
    assert (answer.total, answer.hits) == (0, ())
    assert answer.facets["provider"]["Nobody"] == 0
    assert not any(answer.facets["type"].values())


def test_values_that_are_told_are_bounded(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = engine.search(Need.read(NEED)).facets["deployment"]
    monkeypatch.setattr(facets, "MOST", 1)
    first, *_, last = every
    assert [*engine.search(Need.read(NEED)).facets["deployment"]] == [first]
    asked = Need.read(NEED, facets={"deployment": [last]})
    assert [*engine.search(asked).facets["deployment"]] == [first, last]


def test_what_a_must_have_keeps_out_is_counted_of_what_is_kept(engine: Engine) -> None:
    need = f"{NEED}, free"
    every = engine.search(Need.read(need))
    (hidden,) = every.hidden
    kept = engine.search(Need.read(need, ["app"]))
    wanted = [each for each in RECORDS if values(each, "pricing") == ["paid"]]
    assert hidden.count == len(wanted)
    apps = [each for each in wanted if each["type"] == "app"]
    assert [each.count for each in kept.hidden] == [len(apps)]
