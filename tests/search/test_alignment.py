from collections.abc import Iterator
from itertools import permutations
from typing import Any

import numpy as np
import pytest

from index.builder import build
from index.generation import Generation
from index.home import Home
from search.alignment import CUT_OFF, Aligner
from tests.conftest import HashingEncoder, to_catalog

CAPABILITIES = {
    "speech": ("Transcribe speech", "Turns speech into text."),
    "images": ("Draw pictures", "Draws pictures from prompts."),
    "tables": ("Query tables", "Answers questions about tables by SQL."),
    "voices": ("Clone voices", "Speaks in a cloned voice."),
}


def artifact(slug: str, *keys: str) -> dict[str, Any]:
    capabilities = [
        {
            "id": key,
            "name": CAPABILITIES[key][0],
            "description": CAPABILITIES[key][1],
            "intents": [CAPABILITIES[key][0].lower()],
        }
        for key in keys
    ]
    return {"slug": slug, "name": slug, "type": "cli", "capabilities": capabilities}


@pytest.fixture
def generation(home: Home, encoder: HashingEncoder) -> Iterator[Generation]:
    artifacts = [
        artifact("a", "speech", "images", "tables"),
        artifact("b", "tables", "voices", "speech"),
        artifact("c", "voices"),
        artifact("d", "images", "images"),
    ]
    artifacts[3]["capabilities"][1]["id"] = "again"
    build(to_catalog(artifacts), encoder, home)
    with home.open() as opened:
        yield opened


def ids(generation: Generation, rows: Any) -> list[str | None]:
    return [generation.catalog.capability(row).id for row in rows]


def test_what_answers_to_each_other_is_paired_once_and_the_rest_left_over(
    generation: Generation,
) -> None:
    found = Aligner(generation).align(0, 1)
    pairs = {(*ids(generation, (each.a, each.b)),) for each in found.both}
    assert pairs == {("speech", "speech"), ("tables", "tables")}
    assert ids(generation, found.only_a) == ["images"]
    assert ids(generation, found.only_b) == ["voices"]
    assert all(each.likelihood >= CUT_OFF for each in found.both)
    assert all(-1 <= each.similarity <= 1 + 1e-6 for each in found.both)


def test_an_alignment_is_the_mirror_image_of_its_reverse(
    generation: Generation,
) -> None:
    aligner = Aligner(generation)
    for a, b in permutations(range(4), 2):
        assert aligner.align(a, b) == aligner.align(b, a).mirrored()


def test_one_capability_may_cover_several_but_is_paired_with_one(
    generation: Generation,
) -> None:
    aligner = Aligner(generation)
    assert len(aligner.align(3, 0).both) == 1
    covered = aligner.covered(3, 0)
    assert ids(generation, [each.a for each in covered.both]) == ["images", "again"]
    assert covered.only_a == ()
    assert ids(generation, covered.only_b) == ["speech", "tables"]


def test_measures_are_of_pairs(generation: Generation) -> None:
    aligner = Aligner(generation)
    cosines, measures = aligner.measures(aligner.rows(0), aligner.rows(2))
    assert cosines.shape == (3, 1)
    assert measures.shape == (3, 1, 3)
    _, likelihoods = aligner.likelihoods(aligner.rows(0), aligner.rows(2))
    assert np.all((likelihoods > 0) & (likelihoods < 1))
