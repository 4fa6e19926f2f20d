"""What every request gets: an id, a line, an ETag, gzip, errors in one shape."""

import gzip
import json
import logging
import re
from typing import Any

import pytest
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from index.builder import build
from index.home import Home
from search.history import History
from tests.conftest import ARTIFACTS, HashingEncoder, to_catalog
from web.app import MAX_BODY_BYTES, create_app
from web.current import CurrentEngine

# -- ids and lines ------------------------------------------------------------------


def test_a_request_has_an_id_its_own_if_it_is_plain(client: FlaskClient) -> None:
    made = client.get("/healthz").headers["X-Request-Id"]
    assert re.fullmatch(r"[0-9a-f]{32}", made)
    assert made != client.get("/healthz").headers["X-Request-Id"]
    for given, kept in (("abc-1.2_3", True), ("a b", False), ("x" * 65, False)):
        response = client.get("/api/v1/nothing", headers={"X-Request-Id": given})
        assert (response.headers["X-Request-Id"] == given) == kept


def test_a_request_is_one_line_without_what_was_asked(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="web.access")
    headers = {"X-Request-Id": "mine"}
    client.get("/api/v1/search?q=a+secret+need", headers=headers)
    client.post("/api/v1/resolve", json={"intent": "a secret need"})
    first, second = (json.loads(each) for each in caplog.messages)
    assert first["path"] == "/api/v1/search"
    assert (first["method"], first["status"]) == ("GET", 200)
    assert first["requestId"] == "mine"
    assert first["ms"] >= 0
    assert second["status"] == 200
    assert "secret" not in caplog.text and "127.0.0.1" not in caplog.text


# -- errors -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "status", "detail"),
    [
        ("GET", "/api/v1/nothing", 404, "not found; /docs lists every endpoint"),
        ("DELETE", "/api/v1/search", 405, "Allow says which it has"),
        ("POST", "/healthz", 405, "Allow says"),
        ("POST", "/metrics", 405, "Allow says"),
        ("POST", "/openapi.json", 405, "Allow says"),
        ("POST", "/api/v1/resolve", 415, "is none; send application/json"),
    ],
)
def test_errors_for_programs_are_problems(
    client: FlaskClient, method: str, path: str, status: int, detail: str
) -> None:
    response = client.open(path, method=method)
    assert response.status_code == status
    assert response.content_type == "application/problem+json"
    problem = response.get_json()
    assert problem["status"] == status
    assert detail in problem["detail"]


@pytest.mark.parametrize("path", ["resolve", "validate", "feedback"])
def test_a_body_that_is_too_large_is_refused(client: FlaskClient, path: str) -> None:
    url = f"/api/v1/{path}"
    large = json.dumps({"intent": "x" * MAX_BODY_BYTES})
    response = client.post(url, data=large, content_type="application/json")
    assert response.status_code == 413
    assert response.content_type == "application/problem+json"
    assert "1,048,576 bytes; send less" in response.get_json()["detail"]


def test_a_fault_names_its_request(
    history: History, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> Any:
        raise ZeroDivisionError("secret")

    client = create_app(broken, history).test_client()
    for path in ("/api/v1/search?q=anything", "/readyz"):
        response = client.get(path, headers={"X-Request-Id": "this-one"})
        assert response.status_code == 500
        assert response.content_type == "application/problem+json"
        assert "under this-one" in response.get_json()["detail"]
        assert "secret" not in response.text
        assert "request=this-one" in caplog.text


# -- ETags --------------------------------------------------------------------------

OF_OTHER_THINGS = ("/openapi.json", "/docs", "/quality", "/about/rank", "/graph")
"""What is of the version, or of the log, and outlives a generation."""

CONDITIONAL = (
    "/api/v1/suggest?q=kosm",
    "/api/v1/artifacts?sort=name",
    "/api/v1/artifacts/kosmos-2",
    "/api/v1/artifacts/kosmos-2/alternatives",
    "/api/v1/compare?a=kosmos-2&b=sketcher",
    "/api/v1/artifacts/kosmos-2/alternatives?q=but+free",
    "/api/v1/compare?a=kosmos-2&b=sketcher&q=captions",
    "/",
    "/artifact/kosmos-2",
    "/artifact/kosmos-2/alternatives",
    "/compare/kosmos-2-vs-sketcher?q=captions",
    *OF_OTHER_THINGS,
)


@pytest.mark.parametrize("path", CONDITIONAL)
def test_what_the_caller_has_is_not_sent_again(client: FlaskClient, path: str) -> None:
    first = client.get(path)
    tag = first.headers["ETag"]
    assert first.headers["Cache-Control"] == "no-cache"
    again = client.get(path, headers={"If-None-Match": f'"other", {tag}'})
    assert (again.status_code, again.data) == (304, b"")
    assert again.headers["ETag"] == tag
    assert client.get(path, headers={"If-None-Match": '"other"'}).status_code == 200
    packed = {"Accept-Encoding": "gzip", "If-None-Match": tag}
    assert client.get(path, headers=packed).status_code == 304


def test_an_etag_is_of_the_generation_and_what_was_asked(
    built: Home, follower: CurrentEngine, history: History
) -> None:
    client = create_app(follower, history).test_client()
    follower._look_every_s = 0
    follower._next_look = 0
    tags = {path: client.get(path).headers["ETag"] for path in CONDITIONAL}
    assert len(set(tags.values())) == len(CONDITIONAL)
    other = client.get("/api/v1/suggest?q=kos").headers["ETag"]
    assert other != tags["/api/v1/suggest?q=kosm"]
    build(to_catalog(ARTIFACTS), HashingEncoder(), built)
    for path, tag in tags.items():
        changed = client.get(path).headers["ETag"] != tag
        assert changed == (path not in OF_OTHER_THINGS)


def test_a_page_and_its_twin_have_tags_of_their_own(client: FlaskClient) -> None:
    page = client.get("/quality")
    twin = client.get("/quality", headers={"Accept": "text/markdown"})
    assert page.headers["ETag"] != twin.headers["ETag"]
    assert "Accept" in page.headers["Vary"]


def test_what_was_learned_is_part_of_the_tag(
    client: FlaskClient, follower: CurrentEngine, history: History
) -> None:
    path = "/api/v1/compare?a=kosmos-2&b=sketcher&q=captions"
    match = client.get("/api/v1/search?q=captions").get_json()["matchId"]
    told = {"matchId": match, "slug": "kosmos-2", "outcome": "worked"}
    assert client.post("/api/v1/feedback", json=told).status_code == 202
    before = client.get(path).headers["ETag"]
    assert client.get(path).headers["ETag"] == before
    assert follower().ranker.memory.learn(history.graph())
    assert client.get(path).headers["ETag"] != before


def test_an_outcome_changes_the_etag_of_an_artifact(client: FlaskClient) -> None:
    path = "/api/v1/artifacts/kosmos-2"
    before = client.get(path).headers["ETag"]
    match = client.get("/api/v1/search?q=captions").get_json()["matchId"]
    told = {"matchId": match, "slug": "kosmos-2", "outcome": "worked"}
    assert client.post("/api/v1/feedback", json=told).status_code == 202
    after = client.get(path, headers={"If-None-Match": before})
    assert after.status_code == 200
    assert after.get_json()["outcomes"]["worked"] == 1


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/search?q=captions",
        "/search?q=captions",
        "/api/v1/stats",
    ],
)
def test_what_is_answered_anew_each_time_has_no_etag(
    client: FlaskClient, path: str
) -> None:
    assert "ETag" not in client.get(path).headers


def test_an_error_has_no_etag(client: FlaskClient) -> None:
    response = client.get("/api/v1/artifacts/nobody")
    assert response.status_code == 404
    assert "ETag" not in response.headers


# -- gzip ---------------------------------------------------------------------------


def test_a_large_answer_is_compressed_where_that_is_accepted(
    client: FlaskClient,
) -> None:
    plain = client.get("/openapi.json")
    packed = client.get("/openapi.json", headers={"Accept-Encoding": "gzip, br"})
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in packed.headers["Vary"]
    assert gzip.decompress(packed.data) == plain.data
    assert len(packed.data) < len(plain.data) / 4
    small = client.get("/healthz", headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in small.headers


# -- metrics ------------------------------------------------------------------------


def counted(client: FlaskClient) -> dict[str, float]:
    """Return all metrics by name and labels."""
    response = client.get("/metrics")
    assert response.status_code == 200
    assert response.content_type.startswith("text/plain")
    return {
        " ".join([sample.name, *sample.labels.values()]): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }


def test_requests_answers_and_errors_are_counted(
    client: FlaskClient, history: History
) -> None:
    client.get("/api/v1/search?q=captions")
    client.get("/api/v1/search?q=pictures&type=dataset")
    client.post("/api/v1/resolve", json={"intent": "captions"})
    client.get("/api/v1/artifacts/nobody")
    client.get("/nowhere/at/all")
    history.flush()
    found = counted(client)
    search = "/api/v1/search GET"
    assert found[f"instead_requests_total {search} 200"] == 2
    assert found[f"instead_request_seconds_count {search}"] == 2
    assert found["instead_answers_total met"] == 2
    assert found["instead_answers_total unmet"] == 1
    assert found["instead_errors_total 404"] == 2
    assert found["instead_requests_total none GET 404"] == 1
    assert found["instead_generation_info hashing 000001"] == 1
    assert found["instead_generation_age_seconds"] > 0
    assert found["instead_artifacts"] == 4
    assert found["instead_events_logged_total"] == len(history.log)
    assert not [each for each in found if "nobody" in each or "nowhere" in each]


def test_the_parts_of_an_answer_are_timed(client: FlaskClient) -> None:
    client.get("/api/v1/search?q=captions")
    client.get("/search?q=captions")
    client.get("/api/v1/artifacts/kosmos-2")
    found = counted(client)
    legs = ("keyword", "vector", "name", "anchor")
    for part in ("reading", "encoding", *legs, "fusion", "explanation"):
        assert found[f"instead_part_seconds_count {part}"] == 2
    assert found["instead_part_seconds_count logging"] == 2
    assert found["instead_part_seconds_count rendering"] == 2
    parts = [found[each] for each in found if each.startswith("instead_part_seconds_s")]
    whole = [
        found[each] for each in found if each.startswith("instead_request_seconds_s")
    ]
    assert 0 < sum(parts) < sum(whole)


def test_metrics_are_told_where_the_engine_is_not(history: History) -> None:
    from index.errors import NoGenerationError

    def none() -> Any:
        raise NoGenerationError("nothing has been built yet")

    client = create_app(none, history).test_client()
    assert client.get("/readyz").status_code == 503
    assert counted(client)["instead_errors_total 503"] == 1
