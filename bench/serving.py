"""A server and a shell as people have them: started, asked and ended from outside."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent

READY_S, LOAD_S = 120, 600
"""Seconds after which a server has failed to start, and a load to end."""


@contextmanager
def scratch(home: Path) -> Iterator[Path]:
    """Yield a home with the same generation, and a log of its own."""
    with tempfile.TemporaryDirectory() as folder:
        other = Path(folder) / "home"
        (other / "generations").mkdir(parents=True)
        shutil.copy(home / "CURRENT", other)
        for each in (home / "generations").iterdir():
            (other / "generations" / each.name).symlink_to(each.resolve())
        yield other


def instead(home: Path, *arguments: str) -> list[str]:
    """Return the command line of a command of ours."""
    return [sys.executable, "-m", "web", *arguments, "--home", str(home)]


@contextmanager
def served(home: Path) -> Iterator[tuple[int, float, int]]:
    """Yield the port of a server, the seconds until it was ready, its process id.

    The files of the generation are not in memory when it starts.
    """
    for generation in (home / "generations").iterdir():
        for path in filter(Path.is_file, generation.resolve().rglob("*")):
            with path.open("rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    started = time.perf_counter()
    with (home / "server.log").open("ab") as log:
        command = instead(home, "serve", "--port", str(port))
        server = subprocess.Popen(command, stdout=log, stderr=log, cwd=ROOT)
    try:
        while not is_ready(port):
            if server.poll() is not None or time.perf_counter() - started > READY_S:
                text = (home / "server.log").read_text(encoding="utf-8")
                raise SystemExit(f"the server does not start: {text[-500:]}")
            time.sleep(0.01)
        yield port, time.perf_counter() - started, server.pid
    finally:
        server.terminate()
        server.wait(30)


def is_ready(port: int) -> bool:
    """Return whether a server on this port says that it is ready."""
    try:
        with closing(HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == HTTPStatus.OK
    except OSError:
        return False


def load(
    port: int, needs: Path, *, clients: int, first: int, count: int
) -> dict[str, Any]:
    """Return what bench/load.py measures with `count` needs from the `first` on."""
    command = [sys.executable, "-m", "bench.load", str(port), str(needs)]
    for name, value in {"clients": clients, "first": first, "count": count}.items():
        command += [f"--{name}", str(value)]
    told = subprocess.run(
        command, check=True, cwd=ROOT, stdout=subprocess.PIPE, timeout=LOAD_S
    )
    found: dict[str, Any] = json.loads(told.stdout)
    return found


def shell(home: Path, text: str) -> float:
    """Return the seconds that `search` takes from the shell."""
    started = time.perf_counter()
    command = instead(home, "search", text)
    # Nothing found is an exit status too.
    subprocess.run(command, check=False, cwd=ROOT, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started
