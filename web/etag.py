"""The ETag: what tells whether the caller has this very answer already."""

import hashlib
from collections.abc import Callable
from importlib.metadata import version

from flask import Response, jsonify, make_response, request
from werkzeug.http import quote_etag

from web.payload import JSON


def conditional(
    make: Callable[[], JSON],
    *state: object,
    show: Callable[[JSON], Response | str] = jsonify,
) -> Response:
    """Return what `make` gives, as `show` shows it, with an ETag of `state`.

    If the caller has that already, it is 304 without a body, and nothing is made.
    `state` is all that the answer depends on beside its address, what the caller
    accepts, and this version. A degraded answer depends on the encoder too, and gets
    none.
    """
    accepted = request.headers.get("Accept", "")
    parts = (version("instead"), request.full_path, accepted, *state)
    digest = hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()[:32]
    if request.if_none_match.contains_weak(digest):
        response = Response(status=304)
    else:
        found = make()
        response = make_response(show(found))
        if "degraded" in found:
            return response
    # A weak one: the same answer may come compressed.
    response.headers["ETag"] = quote_etag(digest, weak=True)
    response.headers["Cache-Control"] = "no-cache"
    return response
