"""Several servers on one store and one log are one: whoever is asked says the same."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from index.home import Home
from index.store import Store
from tests.resilience.postgres import running
from tests.resilience.server import Served, served
from tests.resilience.work import build_changed, push_to

ASKED = (
    "/api/v1/artifacts?limit=100",
    "/api/v1/artifacts/kosmos-2",
    "/api/v1/artifacts/kosmos-2/alternatives",
    "/api/v1/compare?a=kosmos-2&b=sketcher&q=captions",
    "/artifact/kosmos-2",
    "/graph",
)
"""What depends on generation and log alone, and carries an ETag made of these."""


@pytest.fixture
def builder(scratch: Path) -> Path:
    """A home whose generation is in the store beside it."""
    build_changed(scratch / "builder", 0)
    push_to(scratch / "store", scratch / "builder")
    return scratch / "builder"


@pytest.fixture
def servers(builder: Path, scratch: Path) -> Iterator[list[Served]]:
    """Two servers, each with a home of its own in which nothing was built."""
    with running() as postgres, ExitStack() as stack:
        found = []
        for name in ("one", "other"):
            (scratch / name).mkdir()
            server = served(
                scratch / name,
                INSTEAD_STORE=str(scratch / "store"),
                INSTEAD_EVENTS=postgres.url,
            )
            found.append(stack.enter_context(server))
        yield found


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def alike(servers: list[Served], path: str) -> bool:
    """Tell whether each gives the same, so that who has it of one has it of all."""
    given = [each.get(path) for each in servers]
    assert [each.status for each in given] == [200] * len(servers)
    tag = given[0].headers["ETag"]
    known = [each.get(path, etag=tag).status for each in servers]
    return len({each.body for each in given}) == 1 and {*known} == {304}


def search(server: Served) -> Any:
    found = server.get("/api/v1/search?q=grounded+captioning&explain=1")
    assert found.status == 200, found.body
    return found.json


def test_two_servers_on_one_store_and_one_log_are_one(
    servers: list[Served], builder: Path, scratch: Path
) -> None:
    one, other = servers
    for _ in range(2):
        answers = [search(each) for each in servers]
        matches = [each.pop("matchId") for each in answers]
        assert [each.pop("tookMs") > 0 for each in answers] == [True, True]
        assert answers[0] == answers[1]
    assert len({*matches}) == 2

    # What one showed, the other is told of; both count it, and show the same.
    told = {"matchId": matches[0], "slug": "kosmos-2", "outcome": "worked"}
    events = [each.get("/api/v1/feedback", body=told) for each in (other, one, other)]
    assert [each.status for each in events] == [202] * 3
    assert len({each.body for each in events}) == 1  # and it counts once
    assert other.get("/api/v1/feedback", body={**told, "matchId": "x"}).status == 422

    def counted(server: Served) -> bool:
        artifact = server.get("/api/v1/artifacts/kosmos-2").json
        return bool(artifact["outcomes"]["worked"] == 1)

    until(lambda: all(map(counted, servers)))
    for path in ASKED:  # at once, or when both have learned of it
        until(partial(alike, servers, path))

    # Both follow what is pushed, and no search fails meanwhile.
    build_changed(builder, 1)
    push_to(scratch / "store", builder)
    until(lambda: [search(each)["generation"] for each in servers] == ["000002"] * 2)
    assert search(one)["matches"] == search(other)["matches"]


def test_a_store_that_is_away_or_damaged_leaves_the_servers_serving(
    servers: list[Served], builder: Path, scratch: Path
) -> None:
    store, away = scratch / "store", scratch / "away"
    store.rename(away)
    until(lambda: not any(each.metric("instead_store_up") for each in servers))
    assert [search(each)["generation"] for each in servers] == ["000001"] * 2
    away.rename(store)
    until(lambda: all(each.metric("instead_store_up") for each in servers))
    build_changed(builder, 1)
    digest = push_to(store, builder)
    (store / "manifests" / digest).write_bytes(b"{}")
    until(lambda: not any(each.metric("instead_store_up") for each in servers))
    assert [search(each)["generation"] for each in servers] == ["000001"] * 2
    push_to(store, builder)
    until(lambda: [search(each)["generation"] for each in servers] == ["000002"] * 2)
    for name in ("one", "other"):
        log = (scratch / name / "server.log").read_text(encoding="utf-8").splitlines()
        said = [each for each in log if each.startswith("instead: ")]
        assert len(said) <= 6, said  # once each time, not at each look


def test_a_server_that_starts_while_its_store_is_away_serves_what_it_has(
    builder: Path, scratch: Path
) -> None:
    nowhere = str(scratch / "nowhere")
    with served(builder, INSTEAD_STORE=nowhere) as server:
        assert search(server)["generation"] == "000001"
        assert server.metric("instead_store_up") == 0
    log = (builder / "server.log").read_text(encoding="utf-8")
    assert log.count("there is no generation in") == 1


def test_a_server_follows_a_bucket(builder: Path, scratch: Path, bucket: str) -> None:
    url = f"s3://{bucket}/instead"
    Store(url).push(Home(builder))
    (scratch / "one").mkdir()
    with served(scratch / "one", INSTEAD_STORE=url) as server:
        assert search(server)["generation"] == "000001"
        build_changed(builder, 1)
        Store(url).push(Home(builder))
        until(lambda: bool(search(server)["generation"] == "000002"))
        assert server.metric("instead_store_up") == 1
    log = (scratch / "one" / "server.log").read_text(encoding="utf-8")
    assert "testing" not in log  # the key
