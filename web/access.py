"""The request: an id for each, and one line of the log, without what was asked."""

import json
import logging
import re
import sys
import time
import uuid
from datetime import UTC, datetime

from flask import Flask, Response, g, request

logger = logging.getLogger(__name__)

PLAIN = re.compile(r"[A-Za-z0-9._-]{1,64}")
"""What an id that a caller gives may be; of any other no log should hold a copy."""


def note(app: Flask) -> None:
    """Give each request of `app` an id and a line; first, so that it is noted last."""

    @app.before_request
    def begun() -> None:
        """Take the caller's id over if it is plain, else make one."""
        given = request.headers.get("X-Request-Id", "")
        g.request_id = given if PLAIN.fullmatch(given) else uuid.uuid4().hex
        g.started = time.perf_counter()

    @app.after_request
    def ended(response: Response) -> Response:
        """Log how it went: neither parameters nor bodies, nor who it was."""
        response.headers["X-Request-Id"] = g.request_id
        line(
            request.method,
            request.path[:200],
            response.status_code,
            (time.perf_counter() - g.started) * 1000,
            g.request_id,
            g.get("key"),
        )
        return response


def line(
    method: str | None,
    path: str | None,
    status: int,
    ms: float,
    id_: str,
    key: str | None = None,
) -> None:
    """Log a request; method and path are None for what could not be read as one."""
    content = {
        "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "method": method,
        "path": path,
        "status": status,
        "ms": round(ms, 1),
        "requestId": id_,
        "key": key,
    }
    logger.info("%s", json.dumps(content))


def show() -> None:
    """Write the lines to standard error, as they are."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
