"""How a build's progress is shown: bars on a terminal, plain lines in a pipe."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import click

from index.builder import Progress

LINE_EVERY_S = 5.0
"""Seconds between two lines about one stage in a pipe."""


@contextmanager
def shown() -> Iterator[Progress]:
    """Yield a progress that reports to standard error, which keeps answers clean."""
    if not sys.stderr.isatty():
        yield Lines()
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as Bars

    with Bars(
        TextColumn("{task.description:>9}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    ) as bars:
        tasks = {}

        def update(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total)
            bars.update(tasks[stage], completed=done, total=total)

        yield update


class Lines:
    """Prints a line every few seconds of a stage, and at its end."""

    def __init__(self) -> None:
        """Start with no line printed."""
        self._last = time.monotonic()

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Print how far `stage` is, if it is time to."""
        if done == total or time.monotonic() - self._last >= LINE_EVERY_S:
            self._last = time.monotonic()
            click.echo(f"{stage} {done:,}/{total:,}", err=True)
