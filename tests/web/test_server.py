import json
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pytest
from click.testing import Result

from index.events import EventLog
from index.home import Home

SERVE = """
import sys
sys.path.insert(0, {tests!r})
from pathlib import Path
from search import history
from tests.conftest import HashingEncoder
from web.cli import main
from web.settings import Settings
history.CHECKPOINT_EVERY, history.LOOK_EVERY_S = 1, 0.0
settings = Settings(Path({home!r}), None, lambda setting: HashingEncoder())
main(["serve", "--port", "{port}"], obj=settings)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="gunicorn needs fork")
def test_a_served_home_answers_over_http_until_it_is_told_to_stop(built: Home) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    code = SERVE.format(tests=str(Path.cwd()), home=str(built.path), port=port)
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None and process.stderr is not None
    try:
        assert process.stdout.readline() == f"Serving on http://127.0.0.1:{port}\n"
        api = f"http://127.0.0.1:{port}/api/v1"
        url = f"{api}/search?q=grounded+captioning"
        deadline = time.monotonic() + 20
        while True:
            try:
                with urllib.request.urlopen(url, timeout=5) as response:
                    answer = json.load(response)
                break
            except OSError:
                assert time.monotonic() < deadline, "the server never answered"
                time.sleep(0.1)
        assert answer["matches"][0]["artifact"]["slug"] == "kosmos-2"
        with closing(EventLog.beside(built.path)) as log:
            while not len(log):
                assert time.monotonic() < deadline, "the answer is never logged"
                time.sleep(0.1)
        urllib.request.urlopen(url, timeout=5).close()  # which folds the one before
        assert not [*built.path.glob("graph-*")]
        long = quote("captions " + "\N{GRINNING FACE}" * 491)
        with urllib.request.urlopen(f"{api}/search?q={long}", timeout=5) as response:
            assert response.status == 200
        with socket.create_connection(("127.0.0.1", port)) as faulty:
            faulty.sendall(b"GET /x HTTP/1.1\r\nBad Header: x\r\n\r\n")
            assert faulty.recv(12) == b"HTTP/1.1 400"
    finally:
        process.terminate()
        assert process.wait(timeout=20) == 0
        process.stdout.close()
        with process.stderr as written:
            whole = written.readlines()
    assert [*built.path.glob("graph-*.checkpoint")]
    assert not [each for each in whole if "SIGABRT" in each]
    lines = [json.loads(each) for each in whole if each.startswith("{")]
    assert not [each for each in whole if "127.0.0.1" in each]
    told = [(each["path"], each["status"]) for each in lines]
    assert told == [("/api/v1/search", 200)] * 3


def test_an_address_that_is_taken_is_one_clear_line(
    instead: Callable[..., Result], built: Home
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = instead("serve", "--port", port)
    assert result.exit_code == 1
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"instead: 127.0.0.1:{port}: Address already in use; choose")


def test_a_host_that_is_none_is_one_clear_line(
    instead: Callable[..., Result], built: Home
) -> None:
    result = instead("serve", "--host", "256.0.0.1")
    assert result.exit_code == 1
    assert "instead: 256.0.0.1:8000: " in result.stderr
