"""The ETag: what tells whether the caller has this very answer already."""

import hashlib
from collections.abc import Callable
from importlib.metadata import version

from flask import Response, jsonify, request
from werkzeug.http import quote_etag

from web.payload import JSON


def conditional(make: Callable[[], JSON], *state: object) -> Response:
    """Return what `make` gives, with an ETag of `state` and the address.

    If the caller has that already, it is 304 without a body, and nothing is made.
    `state` is all that the answer depends on beside its address and this version.
    """
    parts = (version("instead"), request.full_path, *state)
    digest = hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()[:32]
    known = request.if_none_match.contains_weak(digest)
    response = Response(status=304) if known else jsonify(make())
    # A weak one: the same answer may come compressed.
    response.headers["ETag"] = quote_etag(digest, weak=True)
    response.headers["Cache-Control"] = "no-cache"
    return response
