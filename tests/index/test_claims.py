from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from index.artifact import Artifact
from index.claims import Claims, figures, join, part, said, stated
from index.grammar import Rule, grammar
from index.shards import cut
from tests.conftest import to_catalog

TODAY = date(2026, 11, 21)


def artifact(**given: Any) -> Artifact:
    """Return an artifact that states `given`."""
    capability = {"name": "Do", "description": given.pop("description", "It does.")}
    record = {"slug": "a", "name": "A", "type": "model", "capabilities": [capability]}
    return Artifact.model_validate({**record, **given})


@pytest.mark.parametrize(
    ("given", "claims"),
    [
        (
            {"license": "MIT"},
            {"license=MIT", "license=permissive", "license=open_source"},
        ),
        (
            {"license": "apache-2.0"},
            {
                "license=Apache-2.0",
                "license=Apache",
                "license=permissive",
                "license=open_source",
            },
        ),
        (
            {"license": "GPL-3.0-only"},
            {
                "license=GPL-3.0-only",
                "license=GPL",
                "license=copyleft",
                "license=open_source",
            },
        ),
        (
            {"license": "MIT OR GPL-2.0-only"},
            {
                "license=MIT",
                "license=permissive",
                "license=GPL-2.0-only",
                "license=GPL",
                "license=copyleft",
                "license=open_source",
            },
        ),
        (
            {"license": "MIT AND GPL-2.0-only"},
            {
                "license=MIT",
                "license=GPL-2.0-only",
                "license=GPL",
                "license=copyleft",
                "license=open_source",
            },
        ),
        (
            {"license": "LicenseRef-Gemma"},
            {"license=LicenseRef-Gemma", "license=restricted"},
        ),
        (
            {"license": "CC-BY-NC-4.0"},
            {
                "license=CC-BY-NC-4.0",
                "license=CC-BY-NC",
                "license=restricted",
                "license=noncommercial",
            },
        ),
        ({"license": "other"}, {"license=other"}),
        ({"pricing": {"model": "free"}}, {"pricing=free", "free=yes"}),
        ({"pricing": {"model": "paid", "free": False}}, {"pricing=paid", "free=no"}),
        (
            {"facts": {"deployment": ["cloud_api"]}},
            {"deployment=cloud_api", "weights=closed"},
        ),
        (
            {"facts": {"deployment": ["edge"]}, "license": "MIT"},
            {
                "deployment=edge",
                "weights=open",
                "license=MIT",
                "license=permissive",
                "license=open_source",
            },
        ),
        (
            {"facts": {"languages": ["en", "de"]}},
            {"languages=en", "languages=de", "languages=many"},
        ),
        (
            {"facts": {"programming_languages": ["CSharp"]}},
            {"programming_languages=c#"},
        ),
        (
            {"facts": {"hardware": "cpu", "offline": True}},
            {"hardware=cpu", "offline=yes"},
        ),
    ],
)
def test_facts_become_claims(given: dict[str, Any], claims: set[str]) -> None:
    assert stated(artifact(**given)) == {"type=model", *claims}


def test_figures_are_read_with_their_units() -> None:
    found = figures(
        artifact(
            facts={"parameters": 7e9, "languages": ["en", "fr"]},
            updated_at="2026-11-01",
            pricing={"starting_price": "$4 per 1,000 pages"},
        ),
        TODAY,
    )
    assert found == {
        "parameters": 7e9,
        "language_count": 2.0,
        "age_days": 20.0,
        "price in USD per 1K pages": 4.0,
    }
    assert figures(artifact(facts={"languages": ["multilingual"]}), TODAY) == {}
    assert figures(artifact(pricing={"starting_price": "ask us"}), TODAY) == {}


def test_sentences_speak_for_their_artifact_not_of_others() -> None:
    found = list(
        said(artifact(description="It runs fully offline. Unlike X, it runs locally."))
    )
    assert [(each.claim, each.holds) for each in found] == [("offline=yes", True)]
    assert found[0].sentence == "It runs fully offline."


@pytest.fixture
def claims(tmp_path: Path) -> Claims:
    def record(slug: str, **given: Any) -> dict[str, Any]:
        return artifact(slug=slug, **given).model_dump(mode="json", exclude_unset=True)

    catalog = to_catalog(
        [
            record("a", facts={"deployment": ["edge", "cloud"], "hardware": ["cpu"]}),
            record("b", facts={"deployment": ["cloud"], "hardware": ["cuda"]}),
            record("c", description="It runs fully offline on CPU."),
            record("d", description="It needs an internet connection."),
            record("e", facts={"parameters": 7e9}, license="MIT", provider="Acme Labs"),
        ]
    )
    join([part(each, TODAY) for each in cut(catalog, 2)], tmp_path)
    return Claims(tmp_path, catalog)


@pytest.mark.parametrize(
    ("name", "value", "negated", "statuses"),
    [
        ("deployment", "edge", False, [1, -1, 0, 0, 0]),
        ("deployment", "cloud", False, [1, 1, 0, 0, 0]),
        ("deployment", "cloud", True, [1, -1, 0, 0, 0]),
        ("deployment", "edge", True, [1, 1, 0, 0, 0]),
        ("offline", "yes", False, [0, -1, 1, -1, 0]),
        ("hardware", "cpu", False, [1, -1, 1, 0, 0]),
        ("hardware", "gpu", True, [1, -1, 0, 0, 0]),
        ("parameters", "<= 8B", False, [0, 0, 0, 0, 1]),
        ("parameters", "<= 4B", False, [0, 0, 0, 0, -1]),
        ("parameters", "= 7B", False, [0, 0, 0, 0, 1]),
        ("license", "MIT", False, [0, 0, 0, 0, 1]),
        ("license", "MIT", True, [0, 0, 0, 0, -1]),
        ("license", "GPL", False, [0, 0, 0, 0, -1]),
        ("license", "open_source", False, [0, -1, 0, 0, 1]),
    ],
)
def test_facts_then_sentences_decide(
    claims: Claims, name: str, value: str, negated: bool, statuses: list[int]
) -> None:
    rule = grammar().rule(name, value)
    assert rule is not None
    negatable = Rule(**{**_fields(rule), "negated": negated})
    assert claims.status(negatable).tolist() == statuses


def _fields(rule: Rule) -> dict[str, Any]:
    return {name: getattr(rule, name) for name in Rule.__dataclass_fields__}


def test_makers_and_kinds_are_claimed(claims: Claims) -> None:
    assert claims.with_claim("provider=acme").tolist() == [4]
    assert claims.with_claim("provider=acmelabs").tolist() == [4]
    assert claims.with_claim("provider=labs").tolist() == []
    assert claims.with_claim("kind=do").tolist() == [0, 1, 2, 3, 4]
    assert claims.known("provider").tolist() == [False] * 4 + [True]


def test_overlap_is_the_jaccard_index_of_a_fact(claims: Claims) -> None:
    assert claims.overlap("deployment", 0).tolist() == [1, 0.5, 0.5, 0.5, 0.5]
    assert claims.overlap("hardware", 0).tolist() == [1, 0, 0.5, 0.5, 0.5]
    assert claims.overlap("deployment", 4).tolist() == [0.5] * 5
    assert claims.overlap("hardware", 0, np.array([0, 1, 3])).tolist() == [1, 0, 0.5]
