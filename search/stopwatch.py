"""How long does each part of an answer take? Timed where it is done, read by who asks.

Nothing is kept where nobody asked: a command, a benchmark, another thread.
"""

import time
from contextvars import ContextVar

Times = dict[str, float]
"""Seconds by part. A part that is done several times over has their sum."""

_times: ContextVar[Times | None] = ContextVar("times", default=None)


def start() -> Times:
    """Return what the parts done in this thread from now on are added to."""
    times: Times = {}
    _times.set(times)
    return times


class timed:  # noqa: N801  # reads as the statement that it is
    """Times what is done in its block as one part of the answer."""

    __slots__ = ("_part", "_started")

    def __init__(self, part: str) -> None:
        """Call it `part`."""
        self._part = part
        self._started = 0.0

    def __enter__(self) -> None:
        """Begin."""
        self._started = time.perf_counter()

    def __exit__(self, *error: object) -> None:
        """Add the seconds since, whether or not it came to its end."""
        if (times := _times.get()) is not None:
            seconds = time.perf_counter() - self._started
            times[self._part] = times.get(self._part, 0.0) + seconds
