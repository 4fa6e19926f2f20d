from typing import Any

import pytest
from flask.testing import FlaskClient

from index.builder import build
from index.catalog import Catalog
from index.home import Home
from search.history import History
from tests.conftest import ARTIFACTS, HashingEncoder, to_catalog
from web.app import create_app
from web.current import CurrentEngine
from web.settings import Settings


def test_a_search_has_the_fields_of_the_contract(client: FlaskClient) -> None:
    answer = client.get("/api/v1/search?q=grounded+captioning&explain=1&limit=2").json
    assert answer is not None
    assert set(answer) == {
        "query", "need", "matchId", "total", "facets", "matches", "nearest",
        "generation", "tookMs", "hidden",
    }  # fmt: skip
    assert answer["query"] == answer["need"]["topic"] == "grounded captioning"
    assert answer["need"]["constraints"] == []
    assert len(answer["matches"]) == 2
    hit = answer["matches"][0]
    assert set(hit["artifact"]) == {
        "slug", "name", "type", "url", "provider", "summary", "license", "pricing",
        "rank", "pageUrl",
    }  # fmt: skip
    assert hit["artifact"]["pricing"] == {"model": "open_source", "free": True}
    assert set(hit["capabilities"][0]) == {
        "id", "name", "description", "matchScore", "highlights"
    }  # fmt: skip
    assert hit["capabilities"][0]["highlights"][0] == {
        "field": "name", "text": "Grounded captioning", "spans": [[0, 8], [9, 19]]
    }  # fmt: skip
    assert hit["explanation"]["value"] == hit["score"]
    assert any("Grounded captioning" in sentence for sentence in hit["why"])


def test_unknown_values_are_null_not_zero(client: FlaskClient) -> None:
    answer = client.get("/api/v1/search?q=speech+recognition").json
    assert answer is not None
    artifact = answer["matches"][0]["artifact"]
    assert artifact["license"] is None
    assert artifact["pricing"] is None
    assert artifact["rank"] is None
    assert answer["matches"][0]["confidence"] is None


def test_pages_of_hits_neither_repeat_nor_skip(client: FlaskClient) -> None:
    slugs = []
    for offset in range(4):
        url = f"/api/v1/search?q=picture+database&limit=1&offset={offset}"
        answer = client.get(url).json
        assert answer is not None
        slugs += [hit["artifact"]["slug"] for hit in answer["matches"]]
    assert sorted(slugs) == sorted(each["slug"] for each in ARTIFACTS)


def test_types_can_be_repeated(client: FlaskClient) -> None:
    answer = client.get("/api/v1/search?q=picture&type=app&type=mcp").json
    assert answer is not None
    assert {each["artifact"]["type"] for each in answer["matches"]} == {"app", "mcp"}
    assert set(answer["facets"]["type"]) == {"app", "mcp", "model"}


def test_facets_are_filters_of_the_same_names(client: FlaskClient) -> None:
    url = "/api/v1/search?q=picture"
    every = client.get(url).get_json()
    assert list(every["facets"]) == [
        "type", "deployment", "pricing", "license", "provider"
    ]  # fmt: skip
    assert every["facets"]["license"] == {"permissive": 1}
    assert every["facets"]["provider"] == {"Microsoft": 1, "OpenAI": 1}
    for facet, counts in every["facets"].items():
        for value, count in counts.items():
            answer = client.get(f"{url}&{facet}={value}").get_json()
            assert answer["total"] == count == len(answer["matches"])
    both = client.get(f"{url}&provider=Microsoft&provider=OpenAI&deployment=edge")
    slugs = [each["artifact"]["slug"] for each in both.get_json()["matches"]]
    assert slugs == ["whisper-tiny"]


def test_a_page_links_each_facet_to_its_filter(client: FlaskClient) -> None:
    page = client.get("/search?q=picture&deployment=edge&type=model").text
    for address in (
        "/search?q=picture&amp;type=model&amp;deployment=edge&amp;deployment=self_hosted",
        "/search?q=picture&amp;deployment=edge",
        "/search?q=picture&amp;type=model",
        "/search?q=picture",
    ):
        assert f'href="{address}"' in page


@pytest.mark.parametrize(
    ("url", "status", "detail"),
    [
        ("/api/v1/search", 400, "q: field required"),
        ("/api/v1/search?q=x", 400, "at least 2 characters"),
        ("/api/v1/search?q=%00%00%00", 400, "at least 2 characters"),
        ("/api/v1/search?q=xy&limit=0", 400, "limit: input should be greater"),
        ("/api/v1/search?q=xy&limit=51&offset=-1", 400, "offset: input should be gre"),
        ("/api/v1/search?q=xy&type=toaster", 400, "no artifact has the type"),
        ("/api/v1/artifacts/nobody", 404, "no artifact has the slug 'nobody'"),
        ("/api/v1/nothing", 404, "not found"),
    ],
)
def test_an_error_is_a_problem_that_says_what_to_do(
    client: FlaskClient, url: str, status: int, detail: str
) -> None:
    response = client.get(url)
    assert response.status_code == status
    assert response.content_type == "application/problem+json"
    assert response.json is not None
    assert response.json["status"] == status
    assert detail in response.json["detail"]


def test_another_method_is_a_problem(client: FlaskClient) -> None:
    response = client.post("/api/v1/search")
    assert response.status_code == 405
    assert "GET" in response.headers["Allow"]
    assert response.content_type == "application/problem+json"


def test_an_artifact_is_given_whole(client: FlaskClient) -> None:
    artifact = client.get("/api/v1/artifacts/kosmos-2").json
    assert artifact is not None
    assert artifact["capabilities"][0]["vsAlternatives"]
    assert artifact["evidence"]["deployment"]["source"] == "https://example.org/card"
    assert artifact["signals"][0]["asOf"] == "2026-08-21"


def test_health_and_readiness(client: FlaskClient) -> None:
    assert client.get("/healthz").json == {"status": "ok"}
    ready = client.get("/readyz").json
    assert ready == {"status": "ready", "generation": "000001"}


def test_the_first_page_has_the_search_box(client: FlaskClient) -> None:
    for url in ("/", "/search", "/search?q="):
        page = client.get(url)
        assert page.status_code == 200
        assert 'type="search"' in page.text
        assert "4 models" in page.text


def test_results_mark_what_matched(client: FlaskClient) -> None:
    page = client.get("/search?q=grounded+captioning&limit=1").text
    assert "<mark>Grounded</mark> <mark>captioning</mark>" in page
    assert "/artifact/kosmos-2" in page
    assert "offset=1" in page


def test_a_page_without_hits_says_so(client: FlaskClient) -> None:
    page = client.get("/search?q=picture&type=benchmark").text
    assert "Nothing here fits this need" in page


def test_an_artifact_has_a_page(client: FlaskClient) -> None:
    page = client.get("/artifact/kosmos-2").text
    assert '<th scope="row">pricing</th><td>open source, free</td>' in page
    assert "1,660,000,000" in page
    for part in (
        "Kosmos-2",
        "Grounded captioning",
        "https://example.org/card",
        "Limit",
    ):
        assert part in page
    assert client.get("/artifact/nobody").status_code == 404


def test_an_error_of_a_page_is_a_page(client: FlaskClient) -> None:
    response = client.get("/search?q=x")
    assert response.status_code == 400
    assert response.content_type.startswith("text/html")
    assert "at least 2 characters" in response.text


def test_what_a_person_types_is_never_markup(client: FlaskClient) -> None:
    page = client.get("/search?q=<script>alert(1)</script>").text
    assert "<script>" not in page
    policy = client.get("/").headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_a_fault_of_the_engine_is_told_without_its_trace(
    follower: CurrentEngine, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> None:
        raise ZeroDivisionError("secret")

    client = create_app(broken, None).test_client()  # type: ignore[arg-type]  # neither is reached: the engine breaks
    response = client.get("/api/v1/search?q=anything")
    assert response.status_code == 500
    assert "secret" not in response.text
    assert "ZeroDivisionError" in caplog.text


def test_a_switch_is_followed_and_requests_under_way_keep_theirs(
    built: Home, settings: Settings
) -> None:
    follower = CurrentEngine(settings, look_every_s=0)
    under_way = follower()
    build(to_catalog(ARTIFACTS[:2]), HashingEncoder(), built)
    assert follower().generation.id == "000002"
    assert len(follower().catalog) == 2
    assert len(under_way.catalog) == 4


def test_a_switch_to_a_generation_that_cannot_be_opened_keeps_the_old_one(
    built: Home,
    catalog: Catalog,
    settings: Settings,
    caplog: pytest.LogCaptureFixture,
) -> None:
    # The default encoder is asked for whatever built the generation: another one here.
    follower = CurrentEngine(settings, look_every_s=0)
    build(catalog, HashingEncoder("other"), built)
    assert follower().generation.id == "000001"
    assert "still on 000001" in caplog.text


def test_typing_is_completed(client: FlaskClient) -> None:
    assert client.get("/api/v1/suggest?q=kosm").json == {
        "query": "kosm",
        "completions": [{"text": "Kosmos-2", "slug": "kosmos-2"}],
        "didYouMean": None,
    }
    wrong = client.get("/api/v1/suggest?q=gruonded+image").json
    assert wrong is not None
    assert wrong["didYouMean"] == "grounded image"
    for bad in ("", "?q=", "?q=%20", "?q=" + "x" * 501):
        assert client.get(f"/api/v1/suggest{bad}").status_code == 400


def test_constraints_are_returned_with_their_span_and_checked(
    client: FlaskClient,
) -> None:
    text = "describe a picture on edge device, not openai, like postgres mcp"
    answer = client.get("/api/v1/search", query_string={"q": text}).json
    assert answer is not None
    need = answer["need"]
    (edge,) = need["constraints"]
    assert edge == {
        "key": "deployment:edge", "name": "deployment", "value": "edge",
        "mode": "must", "text": "on edge device", "start": 19, "end": 33,
    }  # fmt: skip
    assert [each["key"] for each in need["exclusions"]] == ["not-provider:openai"]
    (anchor,) = need["anchors"]
    assert anchor["slugs"] == ["postgres-mcp"]
    assert need["topic"] == "describe a picture"
    for hit in answer["matches"]:
        for checked in hit["constraints"]:
            assert checked["status"] in ("satisfied", "unknown")
            assert (checked["evidence"] is None) == (checked["status"] == "unknown")


def test_a_mode_is_flipped_by_parameter(client: FlaskClient) -> None:
    url = "/api/v1/search?q=describe+a+picture+on+edge+device"
    must = client.get(url).json
    off = client.get(f"{url}&off=deployment:edge").json
    prefer = client.get(f"{url}&prefer=deployment:edge&must=license:MIT").json
    assert must is not None
    assert off is not None
    assert prefer is not None
    assert [each["count"] for each in must["hidden"]] == [1]
    assert off["hidden"] == []
    assert off["need"]["topic"] == "describe a picture on edge device"
    assert [each["mode"] for each in prefer["need"]["constraints"]] == [
        "prefer",
        "must",
    ]
    assert prefer["matches"][0]["artifact"]["slug"] == "kosmos-2"


def test_a_constraint_that_is_none_is_a_problem(client: FlaskClient) -> None:
    response = client.get("/api/v1/search?q=picture&must=moon:full")
    assert response.status_code == 400
    assert response.json is not None
    assert "'moon:full' is no constraint" in response.json["detail"]


def test_the_page_shows_what_was_understood_and_flips_it(client: FlaskClient) -> None:
    page = client.get("/search?q=describe+a+picture+on+edge+device").text
    assert "deployment edge" in page
    assert "prefer=deployment:edge" in page
    assert "1 more violates" in page
    assert "(unknown)" in page
    page = client.get("/search?q=picture+on+edge+device&off=deployment:edge").text
    assert 'class="off"' in page
    liked = client.get("/search?q=like+kosmos-2+but+free&limit=1").text
    assert 'href="/artifact/kosmos-2"' in liked
    assert "limit=1&amp;offset=1" in liked
    assert "something like zapier" in client.get("/search?q=zapier+alternative").text


# -- events and feedback ------------------------------------------------------------


def found(client: FlaskClient, need: str = "grounded captioning", **more: str) -> Any:
    answer = client.get("/api/v1/search", query_string={"q": need, **more}).json
    assert answer is not None
    return answer


def test_every_hit_of_an_answer_is_an_event(
    client: FlaskClient, history: History
) -> None:
    answer = found(client, source="a-test", limit="2")
    history.flush()
    events = history.log.shown(answer["matchId"])
    assert [each.artifact for each in events] == [
        hit["artifact"]["slug"] for hit in answer["matches"]
    ]
    first = events[0]
    assert (first.position, first.source, first.generation) == (1, "a-test", "000001")
    assert first.capability == "grounded-captioning"
    assert first.score == pytest.approx(answer["matches"][0]["score"])
    assert sum(first.legs.values()) == pytest.approx(first.score)


def test_an_outcome_comes_back_and_counts_once(client: FlaskClient) -> None:
    answer = found(client)
    told = {"matchId": answer["matchId"], "slug": "kosmos-2", "outcome": "worked"}
    first = client.post("/api/v1/feedback", json=told)
    again = client.post("/api/v1/feedback", json=told)
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json == again.json
    artifact = client.get("/api/v1/artifacts/kosmos-2").json
    assert artifact is not None
    assert artifact["outcomes"]["shown"] == artifact["outcomes"]["worked"] == 1
    assert artifact["outcomes"]["success"]["n"] == 1
    stats = client.get("/api/v1/stats").json
    assert stats is not None
    assert stats["matches"] == 1
    assert stats["outcomes"]["worked"] == 1
    assert stats["artifacts"] == 4
    assert "worked 1" in client.get("/artifact/kosmos-2").text


@pytest.mark.parametrize(
    ("told", "status", "detail"),
    [
        ({"matchId": "nobody"}, 422, "no answer has the match id 'nobody'"),
        ({"slug": "nobody"}, 422, "did not show 'nobody'; it showed kosmos-2"),
        ({"outcome": "loved"}, 400, "outcome: input should be 'chosen'"),
        ({"comment": "x" * 501}, 400, "comment: string should have at most 500"),
        ({"more": 1}, 400, "more: extra inputs are not permitted"),
    ],
)
def test_an_outcome_of_what_was_not_shown_is_refused(
    client: FlaskClient, told: dict[str, str], status: int, detail: str
) -> None:
    match = found(client, limit="1")["matchId"]
    whole = {"matchId": match, "slug": "kosmos-2", "outcome": "worked", **told}
    response = client.post("/api/v1/feedback", json=whole)
    assert response.status_code == status
    assert response.json is not None
    assert detail in response.json["detail"]


def test_feedback_is_json_of_our_own_pages(client: FlaskClient) -> None:
    for data, kind, status in (
        ("x=1", "text/plain", 415),
        ("{", "application/json", 400),
    ):
        response = client.post("/api/v1/feedback", data=data, content_type=kind)
        assert response.status_code == status
        assert response.content_type == "application/problem+json"
    elsewhere = {"Origin": "https://evil.example"}
    response = client.post("/api/v1/feedback", json={}, headers=elsewhere)
    assert response.status_code == 403
    ours = {"Origin": "http://localhost"}
    assert client.post("/api/v1/feedback", json=[], headers=ours).status_code == 400


def test_what_says_it_is_a_bot_is_answered_not_logged(
    client: FlaskClient, history: History
) -> None:
    headers = {"User-Agent": "Mozilla/5.0 (compatible; Somebot/2.1)"}
    answer = client.get("/api/v1/search?q=captioning", headers=headers).json
    assert answer is not None
    assert answer["matches"]
    assert answer["matchId"] is None
    history.flush()
    assert len(history.log) == 0


def test_two_artifacts_are_compared(client: FlaskClient) -> None:
    found = client.get("/api/v1/compare?a=kosmos-2&b=sketcher&q=free+captions").json
    assert found is not None
    assert (found["a"]["slug"], found["b"]["slug"]) == ("kosmos-2", "sketcher")
    assert found["verdict"]["lead"] in ("a", "b", "tie", "unknown")
    assert found["verdict"]["sentences"]
    rows = {each["name"]: each for each in found["rows"]}
    assert rows["type"]["a"] == "model" and rows["type"]["b"] == "app"
    assert set(found["capabilities"]) == {"both", "onlyA", "onlyB"}
    assert found["evidence"]["headToHead"] == {"a": 0, "b": 0, "n": 0}
    assert found["need"]["constraints"][0]["key"] == "price:free"
    assert found["next"]["query"] == "free captions"
    different = client.get(found["next"]["url"].replace("/search", "/api/v1/search"))
    assert different.json is not None
    slugs = {each["artifact"]["slug"] for each in different.json["matches"]}
    assert not slugs & {"kosmos-2", "sketcher"}
    assert len(different.json["need"]["exclusions"]) == 2
    back = client.get("/api/v1/compare?b=kosmos-2&a=sketcher&q=free+captions").json
    assert back is not None
    assert back["verdict"]["sentences"] == found["verdict"]["sentences"]


def test_without_a_need_the_next_search_is_for_something_like_both(
    client: FlaskClient,
) -> None:
    found = client.get("/api/v1/compare?a=kosmos-2&b=sketcher").json
    assert found is not None
    assert found["next"]["query"] == "like Kosmos-2 or Sketcher"


@pytest.mark.parametrize(
    ("query", "status", "detail"),
    [
        ("a=kosmos-2", 400, "b: field required"),
        ("a=kosmos-2&b=kosmos-2", 400, "both artifacts are 'kosmos-2'"),
        ("a=kosmos-2&b=nobody", 404, "no artifact has the slug 'nobody'"),
        ("a=kosmos-2&b=sketcher&q=x", 400, "at least 2 characters"),
        ("a=kosmos-2&b=sketcher&q=" + "x" * 501, 400, "at most 500 characters"),
    ],
)
def test_what_cannot_be_compared_is_a_problem(
    client: FlaskClient, query: str, status: int, detail: str
) -> None:
    refused = client.get(f"/api/v1/compare?{query}")
    assert refused.status_code == status
    assert detail in refused.json["detail"]  # type: ignore[index]  # it is an object


def test_alternatives_carry_what_is_kept_gained_and_lost(client: FlaskClient) -> None:
    found = client.get("/api/v1/artifacts/kosmos-2/alternatives?limit=2").json
    assert found is not None
    assert len(found["alternatives"]) == 2
    for each in found["alternatives"]:
        assert each["artifact"]["slug"] != "kosmos-2"
        assert {"score", "kept", "gained", "lost", "constraints", "why"} <= set(each)
        assert len(each["kept"]) + len(each["lost"]) > 0
    path = "/api/v1/artifacts/kosmos-2/alternatives"
    asked = client.get(f"{path}?q=but+free&family=1").json
    assert asked is not None
    assert asked["alternatives"][0]["constraints"][0]["key"] == "price:free"
    assert client.get(f"{path}?limit=99").status_code == 400
    assert client.get(path.replace("kosmos-2", "nobody")).status_code == 404


def test_a_rank_comes_with_its_components(client: FlaskClient) -> None:
    found = client.get("/api/v1/artifacts/kosmos-2").json
    assert found is not None
    rank = found["rank"]
    names = [each["name"] for each in rank["components"]]
    assert names == ["adoption", "quality", "ecosystem", "match", "freshness"]
    assert sum(each["weight"] for each in rank["components"]) == pytest.approx(1)
    known = [each["adds"] for each in rank["components"] if each["value"] is not None]
    assert sum(known) == pytest.approx(rank["value"] or 0, abs=0.2)
