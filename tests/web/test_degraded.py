"""Pages, API and shell where the encoder does not answer."""

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner, Result
from flask.testing import FlaskClient
from numpy.typing import NDArray

from index.encoder import Encoder
from index.errors import EncoderError
from index.events import EventLog
from index.home import Home
from search.deadline import DEADLINE_S
from search.history import History
from tests.conftest import HashingEncoder
from web.app import create_app
from web.cli import main
from web.current import CurrentEngine
from web.settings import Settings

REASON = "This is found by words alone, not by meaning: the encoder"


class Hanging(HashingEncoder):
    """Hangs until the test is over."""

    def __init__(self) -> None:
        super().__init__()
        self.over = threading.Event()

    def encode_need(self, text: str) -> NDArray[np.float32]:
        self.over.wait(timeout=60)
        return super().encode_need(text)


def missing(setting: str | None) -> Encoder:
    """Find no encoder."""
    raise EncoderError("the package with the model is not installed; install it")


@pytest.fixture(params=["missing", "hangs"])
def ill(
    request: pytest.FixtureRequest, built: Home, settings: Settings
) -> Iterator[Settings]:
    """Settings whose encoder is missing or hangs."""
    hanging = Hanging()
    find = missing if request.param == "missing" else lambda setting: hanging
    yield replace(settings, find=find)
    hanging.over.set()


@pytest.fixture
def client(ill: Settings, history: History) -> Iterator[FlaskClient]:
    engine = CurrentEngine(ill, history)
    yield create_app(engine, history).test_client()
    engine().generation.close()


def test_search_answers_in_time_by_words(client: FlaskClient) -> None:
    started = time.monotonic()
    answer = client.get("/api/v1/search?q=grounded+captioning").get_json()
    assert time.monotonic() - started < 2 * DEADLINE_S
    assert answer["degraded"] is True
    assert answer["degradedWhy"].startswith(REASON)
    assert answer["matches"][0]["artifact"]["slug"] == "kosmos-2"
    assert answer["matches"][0]["confidence"] is None
    assert answer["matchId"]


def test_whatever_takes_a_need_says_that_it_is_degraded(client: FlaskClient) -> None:
    resolved = client.post("/api/v1/resolve", json={"intent": "grounded captioning"})
    assert resolved.get_json()["degraded"] is True
    assert resolved.get_json()["resolved"][0]["matchConfidence"] is None
    for url in (
        "/api/v1/compare?a=kosmos-2&b=sketcher&q=captions",
        "/api/v1/artifacts/kosmos-2/alternatives?q=but+pictures",
    ):
        answer = client.get(url)
        assert answer.get_json()["degraded"] is True
        assert "ETag" not in answer.headers
    assert client.get("/api/v1/suggest?q=kosm").status_code == 200
    assert client.get("/readyz").status_code == 200


@pytest.mark.parametrize("ending", ["", ".md"])
def test_pages_say_so(client: FlaskClient, ending: str) -> None:
    for path, query in (
        ("/search", "q=grounded+captioning"),
        ("/compare/kosmos-2-vs-sketcher", "q=captions"),
        ("/artifact/kosmos-2/alternatives", "q=but+pictures"),
    ):
        assert REASON in client.get(f"{path}{ending}?{query}").text


def test_it_is_counted_and_no_need_is_called_unmet(
    client: FlaskClient, history: History
) -> None:
    client.get("/api/v1/search?q=grounded+captioning")
    client.get("/api/v1/search?q=zzyzx+qwrtz")
    metrics = client.get("/metrics").text
    assert 'instead_answers_total{outcome="degraded"} 2.0' in metrics
    history.flush()
    assert not history.graph().totals().get("unmet")
    assert history.graph().totals()["shown"] == 1


def shell(settings: Settings, *arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, obj=settings)


def test_the_shell_says_so(ill: Settings) -> None:
    found = shell(ill, "search", "grounded captioning")
    assert found.exit_code == 0
    assert REASON in " ".join(found.stdout.split())
    for command in (
        ("compare", "kosmos-2", "sketcher"),
        ("alternatives", "kosmos-2"),
    ):
        found = shell(ill, *command, "--need", "pictures")
        assert REASON in " ".join(found.stdout.split())


def test_past_needs_wait_for_the_encoder(
    ill: Settings, settings: Settings, built: Home
) -> None:
    with closing(History(EventLog.beside(built.path))) as history:
        well = CurrentEngine(settings, history)
        client = create_app(well, history).test_client()
        match = client.get("/api/v1/search?q=boxes").get_json()["matchId"]
        told = {"matchId": match, "slug": "kosmos-2", "outcome": "worked"}
        assert client.post("/api/v1/feedback", json=told).status_code == 202
        engine = CurrentEngine(ill, history)
        assert not engine().ranker.memory.knows
        assert engine().catalog["kosmos-2"]
        for each in (well, engine):
            each().generation.close()
