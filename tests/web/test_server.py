import json
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from click.testing import CliRunner, Result

from index.events import EventLog
from index.home import Home
from web.cli import main
from web.settings import Settings

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


UNREADABLE = (
    (b"GET /x HTTP/1.1\r\nBad secret: x\r\n\r\n", 400),
    (b"secret\r\n\r\n", 400),
    (b"GET /secret HTTP/9.9\r\n\r\n", 400),
    (b"GET /search?q=secret" + b"x" * 9000 + b" HTTP/1.1\r\n\r\n", 414),
    (b"GET / HTTP/1.1\r\n" + b"A: secret\r\n" * 200 + b"\r\n", 431),
    (b"GET / HTTP/1.1\r\nA: secret" + b"x" * 9000 + b"\r\n\r\n", 431),
    (b"POST / HTTP/1.1\r\nTransfer-Encoding: secret\r\n\r\n", 501),
)
"""What the application never gets to see."""


def exchange(port: int, sent: bytes) -> tuple[str, Any]:
    """Return the head and the JSON of what a server answers."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as faulty:
        faulty.sendall(sent)
        received = b"".join(iter(lambda: faulty.recv(4096), b""))
    head, _, body = received.partition(b"\r\n\r\n")
    return head.decode(), json.loads(body)


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
        for sent, status in UNREADABLE:
            refused, told = exchange(port, sent)
            assert refused.splitlines()[0].split()[1] == str(status)
            assert "Content-Type: application/problem+json" in refused
            assert told["status"] == status
            assert told["detail"].endswith(".")
            assert "secret" not in refused + json.dumps(told)
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
    refusals = [(None, status) for _, status in UNREADABLE]
    assert told == [("/api/v1/search", 200)] * 3 + refusals
    assert not [each for each in whole if "secret" in each]


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


def test_a_server_with_nothing_here_and_nothing_in_its_store_is_one_clear_line(
    settings: Settings, tmp_path: Path
) -> None:
    shared = replace(settings, store=str(tmp_path / "store"))
    result = CliRunner().invoke(main, ["serve"], obj=shared)
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("instead: there is no generation in ")
    assert line.endswith(f"put one there with: instead push {tmp_path / 'store'}")
