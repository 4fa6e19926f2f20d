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
        line = {
            "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "method": request.method,
            "path": request.path[:200],
            "status": response.status_code,
            "ms": round((time.perf_counter() - g.started) * 1000, 1),
            "requestId": g.request_id,
            "key": g.get("key"),
        }
        logger.info("%s", json.dumps(line))
        return response


def show() -> None:
    """Write the lines to standard error, as they are."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
