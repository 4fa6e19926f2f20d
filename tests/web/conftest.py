"""The application over a small catalogue, as a client meets it."""

from collections.abc import Iterator
from contextlib import closing

import pytest
from flask.testing import FlaskClient

from index.events import EventLog
from index.home import Home
from search.history import History
from web.app import create_app
from web.current import CurrentEngine
from web.settings import Settings


@pytest.fixture
def follower(built: Home, settings: Settings) -> Iterator[CurrentEngine]:
    engine = CurrentEngine(settings)
    yield engine
    engine().generation.close()


@pytest.fixture
def history(home: Home) -> Iterator[History]:
    with closing(History(EventLog.beside(home.path))) as opened:
        yield opened


@pytest.fixture
def client(follower: CurrentEngine, history: History) -> FlaskClient:
    return create_app(follower, history).test_client()
