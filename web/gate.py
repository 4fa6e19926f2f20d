"""The gate: how many requests are in work at once, and what the others are told."""

import threading

from flask import Flask, g, request
from werkzeug.exceptions import ServiceUnavailable

from web.callers import RETRY_S, UNCOUNTED

AT_ONCE = 4
"""Requests in work: two cores do no more of them in a second if there are more."""

WAITING = 16
"""Requests that wait to be, half a second of work."""

WAIT_S = 1.0
"""Seconds that one waits at most."""


class Gate:
    """Lets in as many as can be worked on, lets some wait, and refuses the rest."""

    def __init__(
        self, at_once: int = AT_ONCE, waiting: int = WAITING, wait_s: float = WAIT_S
    ) -> None:
        """Let in `at_once`; let `waiting` more wait for `wait_s` seconds at most."""
        self._free = at_once
        self._waiting = waiting
        self._wait_s = wait_s
        self._left = threading.Condition()

    def enter(self) -> bool:
        """Return whether one may go in, which takes `wait_s` at most."""
        with self._left:
            if self._free <= 0 and self._waiting <= 0:
                return False
            self._waiting -= 1
            try:
                if not self._left.wait_for(lambda: self._free > 0, self._wait_s):
                    return False
            finally:
                self._waiting += 1
            self._free -= 1
            return True

    def leave(self) -> None:
        """Make room for the next."""
        with self._left:
            self._free += 1
            self._left.notify()


def guard(app: Flask) -> None:
    """Let the requests of `app` through a gate; not those of supervisors and files."""
    gate = Gate()

    @app.before_request
    def entered() -> None:
        """Refuse a request that there is no room for, while it has cost little."""
        if request.endpoint == "static" or request.blueprint in UNCOUNTED:
            return
        if not gate.enter():
            message = f"the server has too much to do; come again in {RETRY_S} s"
            raise ServiceUnavailable(message, retry_after=RETRY_S)
        g.inside = True

    @app.teardown_request
    def left(_: BaseException | None) -> None:
        """Make room, whatever came of the request."""
        if g.pop("inside", False):
            gate.leave()
