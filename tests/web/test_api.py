"""Endpoints that list, resolve and validate."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from index.builder import build
from index.home import Home
from search.history import History
from tests.conftest import ARTIFACTS, HashingEncoder, to_catalog

Answer = dict[str, Any]


def got(client: FlaskClient, url: str, **query: Any) -> Answer:
    response = client.get(url, query_string=query)
    assert response.status_code == 200, response.text
    answer: Answer = response.get_json()
    return answer


def refused(response: Any, status: int) -> str:
    """Return the detail of a refusal."""
    assert response.status_code == status
    assert response.content_type == "application/problem+json"
    return str(response.get_json()["detail"])


# -- all artifacts ------------------------------------------------------------------


@pytest.mark.parametrize("sort", ["rank", "name", "updated"])
@pytest.mark.parametrize("limit", [1, 3, 100])
def test_pages_of_artifacts_hold_each_once(
    client: FlaskClient, sort: str, limit: int
) -> None:
    slugs: list[str] = []
    query: dict[str, Any] = {"sort": sort, "limit": limit}
    while True:
        page = got(client, "/api/v1/artifacts", **query)
        slugs += [each["slug"] for each in page["artifacts"]]
        if page["nextCursor"] is None:
            break
        query["cursor"] = page["nextCursor"]
    assert sorted(slugs) == sorted(each["slug"] for each in ARTIFACTS)
    assert len(slugs) == len(set(slugs))


def test_artifacts_of_some_types_are_listed(client: FlaskClient) -> None:
    page = got(client, "/api/v1/artifacts", sort="name", type=["app", "mcp"])
    assert [each["slug"] for each in page["artifacts"]] == ["postgres-mcp", "sketcher"]
    assert page["generation"] == "000001"
    assert got(client, "/api/v1/artifacts", type="dataset")["artifacts"] == []


def test_a_cursor_outlives_its_generation(client: FlaskClient, built: Home) -> None:
    first = got(client, "/api/v1/artifacts", sort="name", limit=2)
    assert [each["slug"] for each in first["artifacts"]] == ["kosmos-2", "postgres-mcp"]
    newer = {**ARTIFACTS[3], "slug": "newer", "name": "Queue"}
    build(to_catalog([*ARTIFACTS[1:], newer]), HashingEncoder(), built)
    rest = client.get(
        "/api/v1/artifacts",
        query_string={"sort": "name", "cursor": first["nextCursor"]},
    ).get_json()
    slugs = [each["slug"] for each in rest["artifacts"]]
    assert slugs in (
        ["sketcher", "whisper-tiny"],
        ["newer", "sketcher", "whisper-tiny"],
    )


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ({"sort": "stars"}, "sort: input should be 'rank', 'name' or 'updated'"),
        ({"type": "toaster"}, "type.0: input should be 'agent'"),
        ({"limit": 101}, "limit: input should be less than or equal to 100"),
        ({"cursor": "nonsense"}, "cursor: is none that nextCursor gave"),
        ({"cursor": "ä"}, "cursor: is none that nextCursor gave"),
        ({"cursor": "W10"}, "cursor: is none that nextCursor gave"),
        ({"cursor": "WyJyYW5rIiwxLDIsM10"}, "cursor: is none that nextCursor gave"),
    ],
)
def test_what_cannot_be_listed_is_a_problem(
    client: FlaskClient, query: Answer, detail: str
) -> None:
    response = client.get("/api/v1/artifacts", query_string=query)
    assert detail in refused(response, 400)


def test_a_cursor_is_of_one_sort(client: FlaskClient) -> None:
    cursor = got(client, "/api/v1/artifacts", sort="name", limit=1)["nextCursor"]
    url = f"/api/v1/artifacts?sort=updated&cursor={cursor}"
    assert "is of the sort 'name'" in refused(client.get(url), 400)


# -- resolve ------------------------------------------------------------------------


def test_an_intent_is_resolved_to_artifacts_with_alternatives(
    client: FlaskClient, history: History
) -> None:
    asked = {"intent": "grounded captioning", "limit": 2}
    response = client.post("/api/v1/resolve", json=asked)
    assert response.status_code == 200
    answer = response.get_json()
    assert len(answer["resolved"]) == 2
    best = answer["resolved"][0]
    assert best["artifact"]["slug"] == "kosmos-2"
    assert best["capability"]["id"] == "grounded-captioning"
    assert "Grounded captioning" in best["whyThisMatches"]
    assert best["matchConfidence"] is None
    assert 1 <= len(best["alternatives"]) <= 3
    for each in best["alternatives"]:
        assert each["slug"] != "kosmos-2"
        assert set(each) == {"slug", "name", "whyAlternative"}
        assert each["whyAlternative"]
    history.flush()
    shown = history.log.shown(answer["resolveId"])
    assert [each.artifact for each in shown] == [
        each["artifact"]["slug"] for each in answer["resolved"]
    ]
    told = {"matchId": answer["resolveId"], "slug": "kosmos-2", "outcome": "worked"}
    assert client.post("/api/v1/feedback", json=told).status_code == 202


def test_an_intent_may_name_one_type_or_several(client: FlaskClient) -> None:
    for types, slugs in (("app", {"sketcher"}), (["app", "mcp"], None)):
        asked = {"intent": "pictures of a database", "type": types}
        answer = client.post("/api/v1/resolve", json=asked).get_json()
        found = {each["artifact"]["slug"] for each in answer["resolved"]}
        assert found == (slugs or {"sketcher", "postgres-mcp"})
    nothing = client.post(
        "/api/v1/resolve", json={"intent": "pictures", "type": "benchmark"}
    )
    assert nothing.get_json()["resolved"] == []


@pytest.mark.parametrize(
    ("asked", "detail"),
    [
        ({}, "intent: field required"),
        ({"intent": "x"}, "at least 2 characters"),
        ({"intent": "pictures", "limit": 21}, "limit: input should be less"),
        ({"intent": "pictures", "type": "toaster"}, "no artifact has the type"),
        ({"intent": "pictures", "more": 1}, "more: extra inputs are not permitted"),
        ([], "body: input should be"),
    ],
)
def test_an_intent_that_is_none_is_a_problem(
    client: FlaskClient, asked: Any, detail: str
) -> None:
    response = client.post("/api/v1/resolve", json=asked)
    assert detail in refused(response, 400)


# -- validate -----------------------------------------------------------------------


def test_a_record_is_validated_as_in_a_catalogue(client: FlaskClient) -> None:
    whole = {**ARTIFACTS[0], "colour": "red"}
    answer = client.post("/api/v1/validate", json=whole).get_json()
    assert answer["errors"] == []
    assert "colour: is not a field of the format" in answer["warnings"]
    assert any("words, under 40" in each for each in answer["warnings"])
    faulty = {"slug": "No Slug", "name": "x", "type": "toaster", "capabilities": []}
    answer = client.post("/api/v1/validate", json=faulty).get_json()
    assert answer["warnings"] == []
    fields = {each.partition(":")[0] for each in answer["errors"]}
    assert fields == {"slug", "type", "capabilities"}


def test_a_record_is_one_json_object(client: FlaskClient) -> None:
    url, kind = "/api/v1/validate", "application/json"
    for body in ("[]", "null", '"x"', "[" * 100_000, "{", "\xff"):
        response = client.post(url, data=body.encode("latin-1"), content_type=kind)
        assert "body" in refused(response, 400)
    response = client.post(url, data="{}", content_type="text/plain")
    assert "send application/json" in refused(response, 415)


def test_half_a_character_is_refused_not_a_fault(client: FlaskClient) -> None:
    half = '"\\ud800 picture"'
    for url, body in (
        (
            "/api/v1/feedback",
            f'{{"matchId": {half}, "slug": "x", "outcome": "worked"}}',
        ),
        ("/api/v1/resolve", f'{{"intent": {half}}}'),
        ("/api/v1/resolve", f'{{"intent": "pictures", "source": {half}}}'),
        ("/api/v1/validate", f'{{"slug": {half}}}'),
    ):
        response = client.post(url, data=body, content_type="application/json")
        assert response.status_code in (200, 400), response.text
