"""Which other origins' pages may ask? None, unless a setting names them."""

from collections.abc import Collection

from flask import Flask, Response, request

ALLOWED = {
    "Access-Control-Allow-Methods": "GET, POST",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, If-None-Match, "
    "X-Api-Key, X-Request-Id",
    "Access-Control-Expose-Headers": "ETag, Retry-After, X-Request-Id",
    "Access-Control-Max-Age": "600",
}


def allow(app: Flask, origins: Collection[str]) -> None:
    """Let pages of `origins` ask the API of `app`, and nobody else's."""

    @app.after_request
    def allowed(response: Response) -> Response:
        """Say to a browser that its page may read the answer."""
        if origins and request.path.startswith("/api/"):
            response.vary.add("Origin")
            if (origin := request.headers.get("Origin")) in origins:
                response.headers["Access-Control-Allow-Origin"] = origin
                response.headers.update(ALLOWED)
        return response
