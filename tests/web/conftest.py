"""The application over a small catalogue, as a client meets it."""

import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

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


SERVE = """
import sys
sys.path.insert(0, {tests!r})
from pathlib import Path
from tests.conftest import HashingEncoder
from web.cli import main
from web.settings import Settings
settings = Settings(Path({home!r}), None, lambda setting: HashingEncoder())
main(["serve", "--port", "{port}"], obj=settings)
"""


@contextmanager
def served(home: Path) -> Iterator[str]:
    """Serve `home` as people do, in a process of its own; yields its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    code = SERVE.format(tests=str(Path.cwd()), home=str(home), port=port)
    log = home.parent / "server.log"
    with log.open("wb") as out:
        process = subprocess.Popen([sys.executable, "-c", code], stdout=out, stderr=out)
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(f"{address}/readyz", timeout=5).close()
                break
            except OSError:
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        assert process.wait(timeout=30) == 0, log.read_text()
