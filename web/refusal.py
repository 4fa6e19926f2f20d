"""What is answered to what never reaches the application."""

import json
from typing import NamedTuple

from gunicorn.http.errors import (
    ExpectationFailed,
    LimitRequestHeaders,
    LimitRequestLine,
    ParseException,
    UnsupportedTransferCoding,
)

from web.callers import RETRY_S
from web.payload import problem


class NoRoomError(Exception):
    """All that can be worked on at once is being worked on."""


class Refusal(NamedTuple):
    """What is answered to what ends in one kind of exception."""

    kind: type[Exception]
    code: int
    title: str
    detail: str
    fields: str = ""


REFUSALS = (
    Refusal(
        NoRoomError,
        503,
        "Service Unavailable",
        f"The server has too much to do; come again in {RETRY_S} s.",
        f"Retry-After: {RETRY_S}\r\n",
    ),
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


def refused(error: Exception, id_: str) -> tuple[int, bytes]:
    """Return the status and the whole response to what is no request at all.

    Nothing of what was sent is repeated, nor where it is from.
    """
    refusal = next(each for each in REFUSALS if isinstance(error, each.kind))
    detail = refusal.detail.format(id=id_)
    body = json.dumps(problem(refusal.code, refusal.title, detail)).encode()
    head = (
        f"HTTP/1.1 {refusal.code} {refusal.title}\r\nConnection: close\r\n"
        "Content-Type: application/problem+json\r\n"
        f"Content-Length: {len(body)}\r\nX-Request-Id: {id_}\r\n{refusal.fields}\r\n"
    )
    return refusal.code, head.encode() + body
