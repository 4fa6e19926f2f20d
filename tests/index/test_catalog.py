from pathlib import Path

import numpy as np
import pytest

from index.catalog import Catalog
from index.errors import CatalogError, UnknownArtifactError
from tests.conftest import ARTIFACTS, to_catalog


def test_artifacts_come_in_slug_order_whatever_the_order_given() -> None:
    there, back = to_catalog(ARTIFACTS), to_catalog(ARTIFACTS[::-1])
    assert list(there) == sorted(each["slug"] for each in ARTIFACTS)
    assert there.digest == back.digest


def test_a_changed_artifact_changes_the_digest() -> None:
    changed = [{**ARTIFACTS[0], "name": "Kosmos-3"}, *ARTIFACTS[1:]]
    assert to_catalog(changed).digest != to_catalog(ARTIFACTS).digest


def test_a_written_catalogue_opens_as_it_was(catalog: Catalog, tmp_path: Path) -> None:
    catalog.write(tmp_path)
    opened = Catalog.open(tmp_path)
    assert dict(opened) == dict(catalog)
    assert opened.digest == catalog.digest
    assert opened.types.tolist() == catalog.types.tolist()
    np.testing.assert_array_equal(opened.owners, catalog.owners)
    assert len(opened) == 4
    assert "sketcher" in opened
    assert "nobody" not in opened


def test_capabilities_are_numbered_through_the_artifacts(catalog: Catalog) -> None:
    every = [each for artifact in catalog.values() for each in artifact.capabilities]
    rows = range(catalog.capability_count)
    assert [catalog.capability(row) for row in rows] == every


def test_a_capability_without_an_id_gets_one_of_its_name() -> None:
    capabilities = [
        {"name": "Draw!", "description": "d"},
        {"name": "draw", "description": "d"},
        {"name": "画", "description": "d"},
        {"id": "draw-2", "name": "x", "description": "d"},
    ]
    catalog = to_catalog([{**ARTIFACTS[0], "capabilities": capabilities}])
    ids = [each.id for each in catalog["kosmos-2"].capabilities]
    assert ids == ["draw", "draw-3", "capability", "draw-2"]


def test_an_unknown_slug_says_what_to_do(catalog: Catalog) -> None:
    with pytest.raises(UnknownArtifactError, match="'nobody'; search for its name"):
        catalog["nobody"]


def test_two_artifacts_cannot_share_a_slug() -> None:
    with pytest.raises(CatalogError, match="share"):
        to_catalog([ARTIFACTS[0], ARTIFACTS[0]])


NAMED = [
    {
        **ARTIFACTS[0],
        "slug": "kosmos-2-patch14-224",
        "name": "kosmos-2-patch14-224",
        "url": "https://huggingface.co/microsoft-org/kosmos-2-patch14-224",
        "repository": "https://github.com/microsoft/unilm",
    },
    {**ARTIFACTS[1], "slug": "flux.1-pro", "name": "FLUX.1 Pro", "provider": "BFL"},
    {**ARTIFACTS[2], "slug": "flux.1-dev", "name": "FLUX.1 dev", "provider": None},
]


@pytest.mark.parametrize(
    ("text", "slugs"),
    [
        ("FLUX.1 Pro", ["flux.1-pro"]),
        ("flux 1 PRO!", ["flux.1-pro"]),
        ("flux1pro", ["flux.1-pro"]),
        ("bfl flux.1 pro", ["flux.1-pro"]),
        ("kosmos 2 patch14 224", ["kosmos-2-patch14-224"]),
        ("Microsoft kosmos-2-patch14-224", ["kosmos-2-patch14-224"]),
        ("microsoft-org/kosmos-2-patch14-224", ["kosmos-2-patch14-224"]),
        ("microsoft/unilm", []),
        ("flux.1", []),
        ("pro", []),
        ("!?", []),
    ],
)
def test_an_artifact_is_known_by_its_names(text: str, slugs: list[str]) -> None:
    catalog = to_catalog(NAMED)
    assert [catalog.slugs[position] for position in catalog.names.named(text)] == slugs


@pytest.mark.parametrize(
    ("text", "slugs"),
    [
        ("flux", ["flux.1-dev", "flux.1-pro"]),
        ("FLUX 1", ["flux.1-dev", "flux.1-pro"]),
        ("flu", []),
        ("flux.1 pro", []),
        ("microsoft", ["kosmos-2-patch14-224"]),
        ("...", []),
    ],
)
def test_an_artifact_is_met_by_the_first_words_of_a_name(
    text: str, slugs: list[str]
) -> None:
    catalog = to_catalog(NAMED)
    assert [
        catalog.slugs[position] for position in catalog.names.named_like(text)
    ] == slugs
