"""The process that answers, and what it says to what is no request at all."""

import json
import uuid
from typing import Any, NamedTuple

from gunicorn import util
from gunicorn.http.errors import (
    ExpectationFailed,
    LimitRequestHeaders,
    LimitRequestLine,
    ParseException,
    UnsupportedTransferCoding,
)
from gunicorn.workers.gthread import ThreadWorker

from web import access
from web.payload import problem


class Refusal(NamedTuple):
    """What is answered to what ends in one kind of exception."""

    kind: type[Exception]
    code: int
    title: str
    detail: str


REFUSALS = (
    Refusal(
        LimitRequestLine,
        414,
        "URI Too Long",
        "The address is longer than the server reads; a need has at most 500 "
        "characters.",
    ),
    Refusal(
        LimitRequestHeaders,
        431,
        "Request Header Fields Too Large",
        "The headers are more or longer than the server reads; send fewer.",
    ),
    Refusal(
        UnsupportedTransferCoding,
        501,
        "Not Implemented",
        "The transfer coding is not known; send the body as it is.",
    ),
    Refusal(
        ExpectationFailed,
        417,
        "Expectation Failed",
        "The expectation is not known; send the request without Expect.",
    ),
    Refusal(
        ParseException,
        400,
        "Bad Request",
        "This cannot be read as a request of HTTP/1.1; /docs tells what can be asked.",
    ),
    Refusal(
        Exception,
        500,
        "Internal Server Error",
        "The server met a fault of its own; its log says which, under {id}.",
    ),
)
"""What is answered where the application is never reached, the first that fits."""


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn is untyped
    """Answers with threads; what it refuses itself is a problem, as elsewhere."""

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Exception) -> None:
        """Answer what cannot be read, or a fault outside of the application.

        Nothing of what was sent is repeated or logged, nor where it is from.
        """
        id_ = uuid.uuid4().hex
        refusal = next(each for each in REFUSALS if isinstance(exc, each.kind))
        if refusal.kind is Exception:
            self.log.error("fault request=%s", id_, exc_info=exc)
        detail = refusal.detail.format(id=id_)
        body = json.dumps(problem(refusal.code, refusal.title, detail)).encode()
        head = (
            f"HTTP/1.1 {refusal.code} {refusal.title}\r\nConnection: close\r\n"
            "Content-Type: application/problem+json\r\n"
            f"Content-Length: {len(body)}\r\nX-Request-Id: {id_}\r\n\r\n"
        )
        access.line(None, None, refusal.code, 0.0, id_)
        try:
            util.write_nonblock(client, head.encode() + body)
        except OSError:
            self.log.debug("who asked went away")
