from datetime import date
from typing import Any

import pytest

from index.artifact import Artifact
from index.review import review

TODAY = date(2026, 11, 21)
SOURCE = "https://example.org"
EVIDENCE = {"source": SOURCE, "as_of": "2026-11-01"}
CAPABILITY = {
    "name": "Draw",
    "description": "word " * 40,
    "vs_alternatives": "Faster than X.",
    "source": SOURCE,
}
SIGNAL = {"name": "stars", "value": 5, "as_of": "2026-01-01", "source": SOURCE}
GOOD: dict[str, Any] = {
    "slug": "a",
    "name": "A",
    "type": "model",
    "license": "Apache-2.0 OR LicenseRef-Own",
    "facts": {"offline": True},
    "evidence": {"offline": EVIDENCE, "license": EVIDENCE},
    "signals": [SIGNAL],
    "capabilities": [{**CAPABILITY, "id": f"c{number}"} for number in range(3)],
}


def thin(**change: Any) -> list[str]:
    return review(Artifact.model_validate({**GOOD, **change}), TODAY)


def test_a_good_record_has_nothing_thin() -> None:
    assert thin() == []


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"evidence": {}}, "evidence: there is none, so no constraint can be proved"),
        ({"evidence": {"license": EVIDENCE}}, "facts.offline: has no evidence"),
        ({"pricing": {"free": True}}, "pricing: has no evidence"),
        ({"capabilities": GOOD["capabilities"][:2]}, "capabilities: only 2, fewer "),
        ({"license": "Apache 2"}, "license: 'Apache 2' is not an SPDX expression"),
        ({"signals": [{"name": "s", "value": 1}]}, "signals[0]: an undated or unsour"),
        (
            {"signals": [{**SIGNAL, "as_of": "2024-11-01"}]},
            "signals[0]: of 2024-11-01, over two years old",
        ),
    ],
)
def test_what_is_thin_is_named(change: dict[str, Any], found: str) -> None:
    (only,) = thin(**change)
    assert only.startswith(found)


def test_a_thin_capability_is_named_by_its_number() -> None:
    bare = {"id": "x", "name": "X", "description": "Short.", "vs_alternatives": "Y"}
    assert thin(capabilities=[*GOOD["capabilities"], bare]) == [
        "capabilities[3].description: 1 words, under 40",
        "capabilities[3].vs_alternatives: a comparison without a source",
    ]
