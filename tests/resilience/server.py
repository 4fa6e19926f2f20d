"""A home that is served as `instead serve` does, in a process of its own."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tests.resilience.processes import ROOT

SERVE = """
import sys, time
from dataclasses import replace
from pathlib import Path
from tests.conftest import HashingEncoder
from web import follower
from web.cli import main
from web.settings import Settings

follower.LOOK_EVERY_S = 0.2

class Slow(HashingEncoder):
    def encode_need(self, text):
        time.sleep(float(sys.argv[3]))
        return super().encode_need(text)

settings = replace(Settings.read(), home=Path(sys.argv[1]), find=lambda setting: Slow())
main(["serve", "--port", sys.argv[2]], obj=settings)
"""


class Answer(NamedTuple):
    """What a server answered, and after how many seconds."""

    status: int
    headers: dict[str, str]
    body: bytes
    seconds: float

    @property
    def json(self) -> Any:
        """The body's JSON."""
        return json.loads(self.body)


class Served(NamedTuple):
    """A server on a loopback port, and its process."""

    port: int
    process: subprocess.Popen[str]

    def get(
        self, path: str, wait_s: float = 20, body: Any = None, etag: str = ""
    ) -> Answer:
        """Return the answer to a request; OSError if there is none in time.

        With a body, which is sent as JSON, it is a POST; `etag` is of what one has.
        """
        started = time.monotonic()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}")
        if etag:
            request.add_header("If-None-Match", etag)
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=wait_s) as given:
                status, headers, body = given.status, given.headers, given.read()
        except urllib.error.HTTPError as error:
            with error:
                status, headers, body = error.code, error.headers, error.read()
        return Answer(status, dict(headers), body, time.monotonic() - started)

    def metric(self, name: str) -> float:
        """Return what `/metrics` says of one thing."""
        lines = self.get("/metrics").body.decode().splitlines()
        (value,) = [each.split()[1] for each in lines if each.startswith(f"{name} ")]
        return float(value)

    def connect(self) -> socket.socket:
        """Return a connection on which nothing is sent yet."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)


@contextmanager
def served(home: Path, encodes_s: float = 0, **environ: str) -> Iterator[Served]:
    """Yield a server of `home` that answers; it has ended well afterwards.

    Its encoder takes `encodes_s` seconds for a need, and keeps no core busy. `environ`
    are settings.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (
        (home / "server.log").open("w", encoding="utf-8") as log,
        subprocess.Popen(
            [sys.executable, "-c", SERVE, str(home), str(port), str(encodes_s)],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=log,
            text=True,
            env={**os.environ, **environ},
        ) as process,
    ):
        server = Served(port, process)
        try:
            deadline = time.monotonic() + 30
            while True:
                try:
                    server.get("/healthz")
                    break
                except OSError:
                    assert process.poll() is None and time.monotonic() < deadline
                    time.sleep(0.05)
            yield server
        finally:
            process.terminate()
            ended = process.wait(timeout=30)
    assert ended == 0
