"""The catalogue that ships, held to the rules beside it."""

from collections import Counter
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import index.catalogue as shipped
from index.artifact import TYPES
from index.model import find
from index.review import review
from index.source import parse

FOLDER = Path(next(iter(shipped.__path__)))
ENTRIES, FAULTS = parse([FOLDER])
ARTIFACTS = {entry.artifact.slug: entry.artifact for entry in ENTRIES}

CATEGORIES = (
    "image", "vision-language", "edge", "speech-audio", "language-model", "retrieval",
    "agent-framework", "mcp-server", "coding-assistant", "evaluation", "dataset",
    "extraction-ocr", "fine-tuning-serving", "workflow", "prompt-skill",
    "command-line", "web-app",
)  # fmt: skip
DEPLOYMENTS = {
    "edge", "mobile", "browser", "desktop", "self_hosted", "cloud_api", "cloud"
}  # fmt: skip


def test_it_is_without_fault() -> None:
    assert FAULTS == []
    assert [entry for entry in ENTRIES if entry.unread] == []


def test_no_record_is_thin() -> None:
    today = datetime.now(UTC).date()
    found = [
        f"{entry.place}: {each}"
        for entry in ENTRIES
        for each in review(entry.artifact, today)
        if "over two years old" not in each  # figures age without anybody's fault
    ]
    assert found == []


def test_it_is_large_and_of_all_types() -> None:
    assert len(ARTIFACTS) >= 200
    assert sum(len(each.capabilities) for each in ARTIFACTS.values()) >= 1000
    assert {each.type for each in ARTIFACTS.values()} == set(TYPES)


def test_every_field_of_use_has_several_candidates() -> None:
    counts = Counter(name for each in ARTIFACTS.values() for name in each.categories)
    assert set(counts) == set(CATEGORIES)
    assert min(counts.values()) >= 5


@pytest.mark.parametrize(
    ("slug", "count"),
    [
        ("kosmos-2-patch14-224", 8),
        ("flux.1-pro", 13),
        ("stable-diffusion", 4),
        ("sdnext", 16),
        ("cogview", 12),
        ("midjourney", 5),
    ],
)
def test_the_first_six_are_there_in_full(slug: str, count: int) -> None:
    assert len(ARTIFACTS[slug].capabilities) == count


def test_variants_of_a_family_are_different_artifacts() -> None:
    flux = [each for each in ARTIFACTS.values() if each.family == "flux"]
    assert len(flux) >= 4
    assert len({each.license for each in flux}) >= 3


@pytest.mark.parametrize("slug", sorted(ARTIFACTS))
def test_a_record_keeps_the_rules(slug: str) -> None:
    artifact = ARTIFACTS[slug]
    assert artifact.summary and artifact.url and artifact.sources
    assert set(artifact.facts.deployment or ()) <= DEPLOYMENTS
    assert all(each.as_of for each in artifact.evidence.values())
    for capability in artifact.capabilities:
        words = len(capability.description.split())
        assert 40 <= words <= 120, capability.id
        assert capability.unique and capability.vs_alternatives and capability.source
        assert capability.intents and capability.best_for and capability.limitations
        assert capability.inputs and capability.outputs


@pytest.mark.model
@pytest.mark.filterwarnings("ignore")
def test_no_two_artifacts_say_the_same() -> None:
    said = [
        (each.description, artifact)
        for artifact in ARTIFACTS.values()
        for each in artifact.capabilities
    ]
    said.sort(key=lambda each: len(each[0]))  # so that none pads another
    vectors = find().encode_passages([text for text, _ in said])
    near = np.argwhere(np.triu(vectors @ vectors.T > 0.95, k=1))
    for one, other in near.tolist():
        a, b = said[one][1], said[other][1]
        assert a.slug == b.slug or (a.family and a.family == b.family), (a.slug, b.slug)


def test_files_are_sorted_so_that_additions_do_not_collide() -> None:
    for path in FOLDER.glob("*.jsonl"):
        slugs = [entry.artifact.slug for entry in ENTRIES if entry.place.path == path]
        assert all(one < other for one, other in pairwise(slugs)), path
