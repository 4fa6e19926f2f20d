import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from index.builder import build
from index.events import MatchEvent
from index.home import Home
from search.graph import SHARED
from search.history import History
from tests.conftest import HashingEncoder, to_catalog
from web.app import create_app
from web.current import CurrentEngine
from web.pages import measured, pair
from web.settings import Settings

PAGES = (
    "/",
    "/search?q=captions",
    "/artifact/kosmos-2",
    "/artifact/kosmos-2/alternatives",
    "/compare/kosmos-2-vs-sketcher?q=captions",
    "/graph",
    "/quality",
    "/about/rank",
)


def twin(address: str) -> str:
    path, _, query = address.partition("?")
    path = "/index" if path == "/" else path
    return f"{path}.md{'?' if query else ''}{query}"


@pytest.mark.parametrize("address", PAGES)
def test_every_page_has_a_markdown_twin(client: FlaskClient, address: str) -> None:
    page = client.get(address)
    assert page.status_code == 200
    assert page.content_type.startswith("text/html")
    by_address = client.get(twin(address))
    by_accept = client.get(address, headers={"Accept": "text/markdown"})
    for each in (by_address, by_accept):
        assert each.status_code == 200
        assert each.content_type == "text/markdown; charset=utf-8"
        assert each.text.startswith("# ")
    assert by_address.text == by_accept.text


@pytest.mark.parametrize("address", PAGES)
def test_no_page_needs_a_script_or_another_host(
    client: FlaskClient, address: str
) -> None:
    page = client.get(address)
    policy = page.headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "style=" not in page.text
    assert not re.search(r"<script(?! src=\"/static/)", page.text)
    assert not re.search(r"\son\w+=", page.text)
    loaded = re.findall(r"<(?:link|script|img)[^>]+(?:href|src)=\"([^\"]+)", page.text)
    assert loaded and all(each.startswith("/static/") for each in loaded)


def match_of(client: FlaskClient, need: str = "captions") -> str:
    answer = client.get("/api/v1/search", query_string={"q": need}).json
    assert answer is not None
    match: str = answer["matchId"]
    return match


def test_a_hit_that_is_opened_is_chosen_once(
    client: FlaskClient, history: History
) -> None:
    page = client.get("/search?q=captions").text
    (address, *_) = re.findall(r"href=\"(/artifact/[^\"]+match=[^\"]+)\"", page)
    for _ in range(2):
        opened = client.get(address.replace("&amp;", "&")).text
    assert "did it work?" in opened
    slug = re.findall(r"/artifact/([^?]+)", address)[0]
    assert history.outcomes(slug).counts["chosen"] == 1


def test_a_comparison_of_two_hits_is_logged(
    client: FlaskClient, history: History
) -> None:
    match = match_of(client)
    chosen = client.get(
        f"/compare?slug=kosmos-2&slug=sketcher&q=captions&match={match}"
    )
    assert chosen.status_code == 302
    assert chosen.location.startswith("/compare/kosmos-2-vs-sketcher?q=captions")
    client.get(chosen.location)
    shown = {each.artifact or "" for each in history.log.shown(match)}
    for slug in shown & {"kosmos-2", "sketcher"}:
        assert history.outcomes(slug).counts["compared"] == 1


@pytest.mark.parametrize("chosen", ["", "slug=sketcher", "slug=a&slug=b&slug=c"])
def test_two_are_to_be_chosen(client: FlaskClient, chosen: str) -> None:
    refused = client.get(f"/compare?{chosen}")
    assert refused.status_code == 400
    assert "choose two of the hits to compare" in refused.text


def test_what_a_page_tells_is_logged_and_thanked_for(
    client: FlaskClient, history: History
) -> None:
    match = match_of(client)
    form = {"matchId": match, "slug": "kosmos-2", "outcome": "worked"}
    told = client.post("/feedback", data=form)
    assert told.status_code == 303
    assert "Thank you" in client.get(told.location).text
    assert history.outcomes("kosmos-2").counts["worked"] == 1
    foreign = {"Origin": "https://elsewhere.example"}
    assert client.post("/feedback", data=form, headers=foreign).status_code == 403
    assert client.post("/feedback", data={**form, "slug": "x"}).status_code == 422
    assert client.post("/feedback", data={"slug": "kosmos-2"}).status_code == 400


def test_the_need_is_carried_along_from_a_comparison(client: FlaskClient) -> None:
    page = client.get("/compare/kosmos-2-vs-sketcher?q=free+captions").text
    (address,) = re.findall(r"class=\"next\".*?href=\"([^\"]+)\"", page)
    search = client.get(address.replace("&amp;", "&")).text
    assert 'value="free captions"' in search
    assert "not artifact kosmos-2" in search
    assert 'href="/artifact/kosmos-2' not in search


def test_an_address_parts_where_both_are_known(
    home: Home, encoder: HashingEncoder
) -> None:
    capability = {"name": "x", "description": "x"}
    slugs = ["a", "a-vs-b", "b", "c"]
    catalog = to_catalog(
        [
            {"slug": s, "name": s, "type": "cli", "capabilities": [capability]}
            for s in slugs
        ]
    )
    assert pair("a-vs-b", catalog) == ("a", "b")
    assert pair("a-vs-b-vs-c", catalog) == ("a-vs-b", "c")
    assert pair("a-vs-b.md", catalog) == ("a", "b")


@pytest.mark.parametrize("slugs", ["kosmos-2", "kosmos-2-vs-nobody", "-vs-"])
def test_an_address_of_no_two_artifacts_is_not_found(
    client: FlaskClient, slugs: str
) -> None:
    missing = client.get(f"/compare/{slugs}")
    assert missing.status_code == 404
    assert "names no two artifacts" in missing.text


def ask(history: History, need: str, times: int, outcome: Any = "worked") -> None:
    start = datetime(2026, 11, 20, tzinfo=UTC)
    for number in range(times):
        at = start + timedelta(hours=number)
        key = f"{need}-{number}"
        shown = MatchEvent(
            key, need, "shown", at, "kosmos-2", key, position=1, source=key
        )
        told = MatchEvent(f"{key}-t", need, outcome, at, "kosmos-2", key, source=key)
        history.log.append([shown, told])
    history._next_look = 0.0


def test_the_graph_shows_what_enough_share_and_nothing_else(
    client: FlaskClient, history: History
) -> None:
    ask(history, "captions with boxes", SHARED)
    ask(history, "a secret wish", SHARED - 1)
    page = client.get("/graph").text
    assert "captions with boxes" in page
    assert "secret" not in page
    assert "secret" not in client.get("/graph.md").text
    around = client.get("/graph?artifact=kosmos-2").text
    assert "captions with boxes" in around
    assert "captions with boxes" not in client.get("/graph?artifact=sketcher").text
    assert "secret" not in client.get("/graph?need=a+secret+wish").text.replace(
        "Around a secret wish", ""
    )


def test_a_rank_is_drawn_with_its_interval(client: FlaskClient) -> None:
    page = client.get("/artifact/kosmos-2").text
    assert page.count('class="gauge"') >= 1
    assert 'aria-label="1.00 (0.27 to 1.00)"' in page
    assert "nothing recorded" in page


def test_the_measured_table_is_the_one_that_ships(client: FlaskClient) -> None:
    content = measured()
    assert {len(row) for row in content["rows"]} == {len(content["columns"])}
    page = client.get("/quality").text
    assert content["date"] in page
    assert all(cell in page for cell in content["rows"][0])


HOSTILE = "<script>alert(1)</script>|[x](javascript:alert(1))`*"


def test_no_text_of_a_record_becomes_markup(
    home: Home, encoder: HashingEncoder, settings: Settings, history: History
) -> None:
    capability = {
        "name": HOSTILE,
        "description": f"Draws captions. {HOSTILE}",
        "unique": HOSTILE,
        "limitations": [HOSTILE],
        "vs_alternatives": f"{HOSTILE} One Two.",
    }
    artifacts = [
        {
            "slug": slug,
            "name": f"{name} {HOSTILE}",
            "type": "cli",
            "provider": HOSTILE,
            "license": HOSTILE,
            "summary": HOSTILE,
            "capabilities": [capability],
        }
        for slug, name in (("one", "One"), ("two", "Two"))
    ]
    build(to_catalog(artifacts), encoder, home)
    client = create_app(CurrentEngine(settings), history).test_client()
    for address in (
        "/search?q=captions",
        "/artifact/one",
        "/artifact/one/alternatives",
        "/compare/one-vs-two?q=captions",
    ):
        page = client.get(address)
        assert page.status_code == 200
        assert "<script>alert" not in page.text
        text = client.get(twin(address)).text
        assert "<script>" not in text.replace("\\<script", "")
        assert "[x](javascript" not in text
