from pathlib import Path
from typing import Any

import pytest

from index import mentions
from index.catalog import Catalog
from index.mentions import Mentions
from index.shards import cut
from tests.conftest import to_catalog


def artifact(slug: str, called: str, **texts: Any) -> dict[str, Any]:
    capability = {"name": "Work", "description": "Works.", **texts}
    return {"slug": slug, "name": called, "type": "cli", "capabilities": [capability]}


@pytest.fixture
def catalog() -> Catalog:
    return to_catalog(
        [
            artifact(
                "alpha", "Alpha", vs_alternatives="Beta Max is slower. Wheel is not."
            ),
            artifact("beta", "Beta", unique="Alone in this, unlike Alpha."),
            artifact("beta-max", "Beta Max", description="Runs on Alpha."),
            artifact("wheel", "Wheel", description="Spoken of as a wheel by Wheel."),
            artifact("zed", "zeppelin", description="The zeppelin of editors, alpha."),
            artifact("zoo", "Zoo", requires=["Alpha 2.1"], name="Beta Max"),
            artifact("zip", "zeppelin hangar", requires=["A fast zeppelin"]),
        ]
    )


def is_word(word: str) -> bool:
    return word in ("wheel", "zeppelin")


@pytest.fixture
def found(catalog: Catalog, tmp_path: Path) -> Mentions:
    return built(catalog, tmp_path, size=3)


def built(catalog: Catalog, folder: Path, size: int) -> Mentions:
    shards = cut(catalog, size)
    names = mentions.Names(catalog)
    mentions.join(
        [mentions.part(each, names) for each in shards],
        catalog,
        [each.size for each in shards],
        is_word,
        folder,
    )
    return Mentions(folder, catalog)


def slugs(catalog: Catalog, positions: Any) -> list[str]:
    return [catalog.slugs[int(each)] for each in positions]


def test_rivals_are_those_set_beside_and_the_longest_name_counts(
    catalog: Catalog, found: Mentions
) -> None:
    alpha = catalog.position("alpha")
    assert slugs(catalog, found.beside(alpha)) == ["beta-max"]
    assert slugs(catalog, found.rivals(alpha)) == ["beta"]
    assert found.claims(alpha, catalog.position("beta-max")) == [0]
    assert found.claims(alpha, catalog.position("beta")) == []


def test_what_is_named_elsewhere_works_with_it(
    catalog: Catalog, found: Mentions
) -> None:
    alpha = catalog.position("alpha")
    assert slugs(catalog, found.works_with(alpha)) == ["beta-max", "zoo"]
    assert slugs(catalog, found.by(alpha)) == ["beta", "beta-max", "zoo"]
    assert found.most() == 3


def test_a_word_of_the_language_is_no_name_where_it_opens_a_sentence(
    catalog: Catalog, found: Mentions
) -> None:
    assert not len(found.by(catalog.position("wheel")))
    assert not len(found.by(catalog.position("zed")))


def test_a_catalogue_without_mentions(tmp_path: Path) -> None:
    lonely = to_catalog([artifact("alpha", "Alpha")])
    found = built(lonely, tmp_path, size=10)
    assert found.most() == 0
    assert not len(found.by(0)) and not len(found.works_with(0))
