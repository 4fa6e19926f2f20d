"""Processes that begin in milliseconds: forked from one that has all imported."""

import io
import logging
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import (
    ExitStack,
    closing,
    contextmanager,
    redirect_stderr,
    redirect_stdout,
)
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, NamedTuple

from tests.conftest import HashingEncoder
from web.cli import main
from web.settings import Settings

ROOT = Path(__file__).parents[2]

# The server that forks looks nowhere but where its interpreter does.
os.environ["PYTHONPATH"] = os.pathsep.join(
    filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])
)
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(
    ["pytest", __name__, "tests.resilience.work", "tests.resilience.warm"]
)


class Result(NamedTuple):
    """What a command came to: its exit status and what it wrote."""

    exit: int
    output: str
    errors: str


@contextmanager
def begun(work: Callable[..., Any], *given: Any) -> Iterator[BaseProcess]:
    """Yield a process that does `work`; it is dead afterwards."""
    process = _context.Process(target=work, args=given, daemon=True)
    process.start()
    try:
        yield process
    finally:
        process.kill()
        process.join()
        process.close()


def pipe() -> tuple[Connection, Connection]:
    """Return the ends that read and write."""
    return _context.Pipe(duplex=False)


def all_at_once(calls: Sequence[Sequence[Any]]) -> list[Any]:
    """Return what functions return, each called in a process of its own, together."""
    with ExitStack() as stack:
        ends = []
        for work, *given in calls:
            reading, writing = pipe()
            stack.enter_context(closing(reading))
            stack.enter_context(begun(_send, writing, work, given))
            writing.close()
            ends.append(reading)
        return [end.recv() for end in ends]


def _send(results: Connection, work: Callable[..., Any], given: Sequence[Any]) -> None:
    results.send(work(*given))


def command(home: Path, *words: str) -> Result:
    """Return what `instead WORDS` comes to in this process, without a model."""
    settings = Settings(home, None, lambda setting: HashingEncoder())
    output, errors = io.StringIO(), io.StringIO()
    root = logging.getLogger()
    handlers = root.handlers[:]
    root.handlers.clear()
    with redirect_stdout(output), redirect_stderr(errors):
        try:
            main([*map(str, words)], obj=settings)
            status = 0
        except SystemExit as error:
            status = error.code if isinstance(error.code, int) else 1
        finally:
            root.handlers[:] = handlers
    return Result(status, output.getvalue(), errors.getvalue())
