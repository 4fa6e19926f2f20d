"""Attackers: nothing is read that is not theirs, nothing done in another's name."""

import gzip
import io
import json
import logging
import re
import zipfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from index.events import EventLog
from index.home import Home
from index.source import parse
from search.history import History
from tests.conftest import HashingEncoder, to_jsonl
from tests.resilience.work import build_changed, changed
from web.app import create_app
from web.current import CurrentEngine
from web.keys import Keys
from web.settings import Settings

POSTED = ("/api/v1/feedback", "/api/v1/resolve", "/api/v1/validate")


@pytest.fixture(scope="module")
def served(shared: Path) -> Iterator[FlaskClient]:
    """An application as others reach it: with keys and a log."""
    build_changed(shared, 0)
    settings = Settings(shared, None, lambda setting: HashingEncoder(), rate=0)
    with closing(History(EventLog.beside(shared))) as history:
        engine = CurrentEngine(settings, history)
        yield create_app(engine, history, settings, "0.0.0.0").test_client()
        engine().generation.close()


def read(answer: TestResponse) -> Any:
    """Return the JSON of an answer."""
    return json.loads(answer.data)


UP = (
    "../",
    "..%2f",
    "%2e%2e/",
    "%2e%2e%2f",
    "..%5c",
    "..\\",
    "....//",
    "%c0%ae%c0%ae/",
)
SECRET = ("etc/passwd", "app.py", "keys.json", "events.sqlite", "CURRENT")


@pytest.mark.parametrize("up", UP)
@pytest.mark.parametrize(
    "place", ["/static/", "/artifact/", "/compare/", "/api/v1/artifacts/", "/"]
)
def test_no_address_leads_out_of_what_is_served(
    served: FlaskClient, place: str, up: str
) -> None:
    for secret in SECRET:
        for depth in (1, 3, 8):
            answer = served.get(f"{place}{up * depth}{secret}")
            assert answer.status_code in (301, 308, 400, 404), answer.status
            assert b"root:" not in answer.data and b"import " not in answer.data
            local(answer.headers.get("Location"))


def local(location: str | None) -> None:
    """Hold a redirect to this host."""
    if location is not None:
        parts = urlsplit(location)
        assert parts.netloc in ("", "localhost") and not location.startswith("//")


ELSEWHERE = (
    "//evil.example",
    "///evil.example",
    "https://evil.example",
    "/\\evil.example",
    "%2f%2fevil.example",
    "javascript:alert(1)",
    "kosmos-2\r\nX-Evil: 1",
    "kosmos-2%0d%0aSet-Cookie:%20evil=1",
)


@pytest.mark.parametrize("there", ELSEWHERE)
def test_no_redirect_leads_elsewhere_and_no_header_is_slipped_in(
    served: FlaskClient, there: str
) -> None:
    match = read(served.get("/api/v1/search?q=grounded+captioning"))["matchId"]
    told = {"matchId": match, "slug": "kosmos-2", "outcome": "worked"}
    answers = [
        served.get(f"/{there}"),
        served.get(f"/artifact/{there}"),
        served.get("/compare", query_string={"slug": [there, "kosmos-2"]}),
        served.get(
            "/compare",
            query_string={"slug": ["sketcher", "kosmos-2"], "q": there, "match": there},
        ),
        served.post("/feedback", data={**told, "slug": there}),
        served.post("/feedback", data={**told, "comment": there}),
        served.get("/search", query_string={"q": there}),
        served.get("/healthz", headers={"X-Request-Id": quote(there)}),
        served.get("/healthz", headers={"Host": "evil.example"}),
    ]
    for answer in answers:
        assert answer.status_code < 500
        local(answer.headers.get("Location"))
        assert "X-Evil" not in answer.headers and "Set-Cookie" not in answer.headers
        assert "evil" not in answer.headers["X-Request-Id"]
    assert any(answer.status_code in (302, 303) for answer in answers)


@pytest.mark.parametrize("path", [*POSTED, "/feedback"])
def test_pages_of_others_may_post_nothing(served: FlaskClient, path: str) -> None:
    for origin in ("https://evil.example", "null", "http://localhost.evil.example"):
        answer = served.post(path, json={}, headers={"Origin": origin})
        assert answer.status_code == 403


@cache
def bombs() -> dict[str, bytes]:
    """Return bodies that are small, and would be large or slow if they were opened."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("body.json", b"0" * 10_000_000)
    return {
        "lists": b"[" * 500_000,
        "closed lists": b"[" * 100_000 + b"]" * 100_000,
        "objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        "a number": b'{"intent": ' + b"9" * 900_000 + b"}",
        "an exponent": b'{"intent": "ab", "limit": 1e999999999}',
        "repeated keys": b'{"intent": "a", ' * 1 + b'"intent": "captions", ' * 20_000
        + b'"limit": 1}',
        "many keys": json.dumps({str(n): n for n in range(60_000)}).encode(),
        "half a pair": b'{"intent": "\\ud800 captions"}',
        "no end": b'{"intent": "captions',
        "not UTF-8": b'{"intent": "\xff\xfe"}',
        "zeros": bytes(100_000),
        "gzip": gzip.compress(b"0" * 20_000_000),
        "zip": packed.getvalue(),
        "not a number": b'{"intent": NaN, "limit": Infinity}',
    }  # fmt: skip


@pytest.mark.parametrize("name", bombs())
@pytest.mark.parametrize("path", POSTED)
def test_a_body_that_is_a_bomb_is_refused(
    served: FlaskClient, path: str, name: str
) -> None:
    body = bombs()[name]
    headers = {"Content-Encoding": "gzip"} if name == "gzip" else {}
    answer = served.post(
        path, data=body, headers=headers, content_type="application/json"
    )
    assert answer.status_code < 500, answer.data
    if answer.status_code != 200:  # a record's faults are an answer, too
        assert answer.content_type == "application/problem+json"
        assert read(answer)["detail"]
        assert len(answer.data) < 20_000


@pytest.mark.parametrize("name", bombs())
def test_a_line_that_is_a_bomb_is_a_fault_of_the_catalogue(
    scratch: Path, name: str
) -> None:
    path = scratch / "catalog.jsonl"
    path.write_bytes(bombs()[name])
    entries, faults = parse([path])
    assert not entries and faults
    assert all(len(each) < 1000 for each in faults[:100])


def test_no_secret_reaches_the_log_or_the_disk(
    shared: Path, served: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    key = Keys(shared).add("laptop")
    address = {"REMOTE_ADDR": "203.0.113.77"}
    need = "zanzibar captions for my divorce"
    wrong = "instead_" + "wrong" * 8
    for sent in (key, wrong):
        for headers in ({"X-Api-Key": sent}, {"Authorization": f"Bearer {sent}"}):
            served.get(
                "/api/v1/search",
                query_string={"q": need},
                headers={**headers, "Cookie": "session=verysecret"},
                environ_base=address,
            )
    served.get(f"/api/v1/search?q={need}&limit=zanzibar", environ_base=address)
    served.get(f"/artifact/{key}", environ_base=address)
    told = [json.dumps(each.__dict__, default=str) for each in caplog.records]
    told = [each for each in told if "web.access" in each]
    assert len(told) >= 6
    for each in told:
        assert "zanzibar" not in each and "203.0.113.77" not in each
        assert wrong not in each and "verysecret" not in each
    for path in shared.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert key.encode() not in content, path
            assert b"203.0.113.77" not in content and b"verysecret" not in content


def test_no_page_says_what_runs_it_or_where(served: FlaskClient, shared: Path) -> None:
    for path in ("/artifact/none", "/api/v1/artifacts/none", "/api/v1/search", "/x"):
        answer = served.get(path)
        assert answer.status_code in (400, 404)
        text = answer.get_data(as_text=True)
        assert str(shared) not in text and "Traceback" not in text
        assert not re.search(r"site-packages|\.py\b|werkzeug", text)


def test_only_what_is_built_is_read_from_a_home_that_others_may_write(
    scratch: Path, tmp_path: Path
) -> None:
    """A pointer or an id leads nowhere but to the generations of its own home."""
    build_changed(scratch, 0)
    elsewhere = tmp_path / "elsewhere"
    build_changed(elsewhere, 1)
    home = Home(scratch)
    target = elsewhere / "generations" / "000001"
    (scratch / "CURRENT").write_text(f"../../{target}")
    with home.open() as generation:
        assert generation.folder.is_relative_to(scratch)


def test_slugs_cannot_name_a_path(tmp_path: Path) -> None:
    for slug in ("../x", "a/b", "..", ".hidden", "a\\b", "a\0b", "A", "", "a%2fb"):
        first, *_ = changed(0)
        path = to_jsonl([{**first, "slug": slug}], tmp_path / "catalog.jsonl")
        entries, faults = parse([path])
        assert not entries and "slug" in faults[0]


def test_a_server_on_a_loopback_address_goes_by_no_other_name(
    shared: Path, served: FlaskClient
) -> None:
    settings = Settings(shared, None, lambda setting: HashingEncoder())
    with closing(History(EventLog.beside(shared))) as history:
        engine = CurrentEngine(settings, history)
        for proxies, host, status in (
            (0, "127.0.0.1", 400),
            (1, "127.0.0.1", 200),
            (0, "0.0.0.0", 200),
        ):
            chosen = replace(settings, proxies=proxies)
            client = create_app(engine, history, chosen, host).test_client()
            for named in ("localhost:8000", "127.0.0.1:8000", "[::1]:8000"):
                answer = client.get("/api/v1/stats", headers={"Host": named})
                assert answer.status_code == 200, named
            answer = client.get("/api/v1/stats", headers={"Host": "evil.example"})
            assert answer.status_code == status
            if status == 400:
                assert "evil.example" in read(answer)["detail"]
        engine().generation.close()
