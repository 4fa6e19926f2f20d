"""The document is valid, whole, and true of what is answered."""

import re
from typing import Any

import pytest
from flask.testing import FlaskClient
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import validate
from pydantic import BaseModel

from tests.conftest import ARTIFACTS
from web import openapi, schema

Answer = dict[str, Any]


@pytest.fixture
def document(client: FlaskClient) -> Answer:
    found: Answer = client.get("/openapi.json").get_json()
    return found


def test_the_document_is_valid_openapi(document: Answer) -> None:
    assert document["openapi"].startswith("3.1.")
    validate(document)


def test_every_endpoint_for_programs_is_described(
    client: FlaskClient, document: Answer
) -> None:
    described = {
        (path, method) for path, each in document["paths"].items() for method in each
    }
    for rule in client.application.url_map.iter_rules():
        if rule.rule.startswith("/api/") or rule.rule in ("/healthz", "/readyz"):
            method = "post" if "POST" in (rule.methods or ()) else "get"
            assert (openapi.path(rule), method) in described
    names = [
        operation["operationId"]
        for methods in document["paths"].values()
        for operation in methods.values()
    ]
    assert len(names) == len(set(names))


def test_a_parameter_is_described_with_its_bounds(document: Answer) -> None:
    search = document["paths"]["/api/v1/search"]["get"]
    parameters = {each["name"]: each for each in search["parameters"]}
    assert parameters["q"]["required"]
    assert parameters["q"]["schema"]["maxLength"] == 500
    assert parameters["limit"]["schema"] == {
        "type": "integer", "minimum": 1, "maximum": 50, "default": 10
    }  # fmt: skip
    assert "model" in parameters["type"]["schema"]["items"]["enum"]
    assert all(each["description"] for each in search["parameters"])
    body = document["components"]["schemas"]["Intent"]
    assert body["required"] == ["intent"]


def test_errors_are_described_as_problems(document: Answer) -> None:
    for methods in document["paths"].values():
        for operation in methods.values():
            for status in operation["responses"]:
                if int(status) >= 400:
                    content = document["components"]["responses"][status]["content"]
                    assert set(content) == {"application/problem+json"}
    feedback = document["paths"]["/api/v1/feedback"]["post"]["responses"]
    assert {"202", "400", "403", "413", "415", "422", "429"} <= set(feedback)


NEED = {"q": "free captions on edge device, like postgres mcp", "explain": "1"}
RECORD = {**ARTIFACTS[1], "colour": "red"}


@pytest.mark.parametrize(
    ("path", "model", "query"),
    [
        ("/api/v1/search", schema.SearchAnswer, NEED),
        ("/api/v1/search", schema.SearchAnswer, {"q": "gruonded captions not paid"}),
        ("/api/v1/search", schema.SearchAnswer, {"q": "picture", "type": "dataset"}),
        ("/api/v1/artifacts", schema.Listing, {"limit": 2}),
        ("/api/v1/artifacts/kosmos-2", schema.ArtifactAnswer, {}),
        ("/api/v1/artifacts/whisper-tiny", schema.ArtifactAnswer, {}),
        ("/api/v1/artifacts/kosmos-2/alternatives", schema.AlternativesAnswer, {}),
        (
            "/api/v1/artifacts/kosmos-2/alternatives",
            schema.AlternativesAnswer,
            {"q": "but free", "family": "1"},
        ),
        (
            "/api/v1/compare",
            schema.ComparisonAnswer,
            {"a": "kosmos-2", "b": "sketcher"},
        ),
        (
            "/api/v1/compare",
            schema.ComparisonAnswer,
            {"a": "whisper-tiny", "b": "kosmos-2", "q": "free captions"},
        ),
        ("/api/v1/suggest", schema.SuggestAnswer, {"q": "kosm"}),
        ("/api/v1/suggest", schema.SuggestAnswer, {"q": "gruonded image"}),
        ("/api/v1/stats", schema.StatsAnswer, {}),
        ("/api/v1/search", schema.Problem, {"q": "x"}),
        ("/healthz", schema.HealthAnswer, {}),
        ("/readyz", schema.ReadyAnswer, {}),
    ],
)
def test_what_is_answered_is_what_is_described(
    client: FlaskClient,
    document: Answer,
    path: str,
    model: type[BaseModel],
    query: Answer,
) -> None:
    first = client.get("/api/v1/search?q=captions").get_json()
    told = {"matchId": first["matchId"], "slug": "kosmos-2", "outcome": "worked"}
    client.post("/api/v1/feedback", json=told)
    response = client.get(path, query_string=query)
    fits(document, model, response.get_json())
    rule = re.sub(r"(?<=artifacts/)[^/]+", "{slug}", path)
    described = document["paths"][rule]["get"]["responses"]
    answer = described[str(response.status_code)]
    if "$ref" in answer:
        answer = document["components"]["responses"][str(response.status_code)]
    reference = answer["content"][response.mimetype]["schema"]["$ref"]
    assert reference.endswith(f"/{model.__name__}")


@pytest.mark.parametrize(
    ("path", "body", "model"),
    [
        ("resolve", {"intent": "captions"}, schema.ResolveAnswer),
        ("resolve", {"intent": "pictures", "type": "dataset"}, schema.ResolveAnswer),
        ("validate", RECORD, schema.ValidateAnswer),
    ],
)
def test_what_a_body_is_answered_is_what_is_described(
    client: FlaskClient,
    document: Answer,
    path: str,
    body: Answer,
    model: type[BaseModel],
) -> None:
    response = client.post(f"/api/v1/{path}", json=body)
    assert response.status_code == 200
    fits(document, model, response.get_json())


def test_feedback_is_answered_as_described(
    client: FlaskClient, document: Answer
) -> None:
    match = client.get("/api/v1/search?q=captions").get_json()["matchId"]
    told = {"matchId": match, "slug": "kosmos-2", "outcome": "worked"}
    answer = client.post("/api/v1/feedback", json=told).get_json()
    fits(document, schema.FeedbackAnswer, answer)


def fits(document: Answer, model: type[BaseModel], answer: Answer) -> None:
    """Assert that an answer has what is described, and nothing else."""
    model.model_validate(answer, extra="forbid")
    name = f"#/components/schemas/{model.__name__}"
    whole = {"$ref": name, "components": document["components"]}
    OAS31Validator(whole).validate(answer)


def test_the_reference_shows_all_of_it_offline(
    client: FlaskClient, document: Answer
) -> None:
    response = client.get("/docs")
    page = response.text
    assert "unsafe" not in response.headers["Content-Security-Policy"]
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//", page)
    assert "<style" not in page and "<script>" not in page
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert f"{method.upper()} {path}" in page
            for each in operation["parameters"]:
                assert f"<code>{each['name']}</code>" in page
    for name in document["components"]["schemas"]:
        assert f'id="{name}"' in page
    for target in re.findall(r'href="#([^"]+)"', page):
        assert f'id="{target}"' in page
    assert "integer, 1 to 50; 10 if left out" in page


def test_the_reference_is_markdown_too(client: FlaskClient, document: Answer) -> None:
    text = client.get("/docs.md").text
    for path, methods in document["paths"].items():
        for method in methods:
            assert f"## `{method.upper()} {path}`" in text
    assert "- `limit` (integer, 1 to 50): Hits at most." in text
    assert "- 200: SearchAnswer: Artifacts whose" in text
    for name in document["components"]["schemas"]:
        assert f"## {name}\n" in text
