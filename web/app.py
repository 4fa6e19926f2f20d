"""The Flask application: API and pages, with one shape of error for each."""

import logging
import re
from collections.abc import Callable, Collection

from flask import Flask, Response, g, jsonify, render_template, request
from flask_compress import Compress
from werkzeug.exceptions import BadRequest, HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix

from index.errors import EngineError
from search.engine import Engine
from search.history import History
from web import access, api, cors, gate, metrics, pages, payload, reference
from web.callers import UNCOUNTED, Callers
from web.errors import status
from web.follower import Follower
from web.keys import Keys
from web.settings import Settings, loopback

logger = logging.getLogger(__name__)

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; "
    "script-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    # Not "no-referrer": a form would come without its origin, and be refused.
    "Referrer-Policy": "same-origin",
}

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
"""Names that a server on a loopback address goes by, unless a proxy speaks for it."""

MAX_BODY_BYTES = 1024 * 1024
"""A larger body is a mistake: the longest line of a catalogue is shorter."""

RETRY_S = 5
"""Seconds after which to try again what log, disk or encoder could not do."""

COMPRESSED = {
    "COMPRESS_ALGORITHM": ["gzip"],
    "COMPRESS_MIN_SIZE": 1000,
    "COMPRESS_STREAMS": False,  # files go as they lie: the library leaves them open
    "COMPRESS_MIMETYPES": [
        "application/json",
        "application/problem+json",
        "text/html",
        "text/markdown",
        "text/plain",
    ],
}


def create_app(
    engine: Callable[[], Engine],
    history: History,
    settings: Settings | None = None,
    host: str = "127.0.0.1",
    follower: Follower | None = None,
) -> Flask:
    """Return the application over whatever engine `engine` gives, and `history`.

    `settings` say who may ask how often where it is served on the address `host`;
    without any there are no keys and no limits. `follower` brings generations from a
    store, if there is one.
    """
    app = Flask(__name__)
    app.json.sort_keys = False  # type: ignore[attr-defined]  # on the default provider
    origins = settings.origins if settings else ()
    app.config.update(COMPRESSED, MAX_CONTENT_LENGTH=MAX_BODY_BYTES, ORIGINS=origins)
    if settings and settings.proxies:
        proxies = settings.proxies
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]  # as its docs have it
            app.wsgi_app, x_for=proxies, x_proto=proxies, x_host=proxies
        )
    # What is registered first sees the response last, as the caller gets it.
    access.note(app)
    app.register_blueprint(metrics.blueprint(app, engine, history, follower))
    Compress(app)
    cors.allow(app, origins)
    if settings and not settings.proxies and loopback(host):
        _known_by(app, {*LOOPBACK, host})
    _admit(app, settings, host)
    gate.guard(app)
    app.register_blueprint(api.blueprint(engine, history))
    app.register_blueprint(api.probes(engine))
    app.register_blueprint(reference.blueprint())
    app.register_blueprint(pages.blueprint(engine, history))
    _refuse(app)

    @app.after_request
    def secured(response: Response) -> Response:
        """Allow a page nothing but its own stylesheet and form."""
        response.headers.update(HEADERS)
        return response

    return app


def _known_by(app: Flask, names: Collection[str]) -> None:
    """Answer to `names` alone: a page of others may have its own name lead here."""

    @app.before_request
    def known() -> None:
        """Refuse a request that is for another host."""
        name = re.sub(r":\d+$", "", request.host)
        if name not in names:
            message = f"this server goes by {' or '.join(LOOPBACK)}, not by {name!r}"
            raise BadRequest(
                f"{message}; INSTEAD_PROXIES says that a proxy stands here"
            )


def _admit(app: Flask, settings: Settings | None, host: str) -> None:
    """Let callers in as often as `settings` say."""
    callers = Callers(None)
    if settings is not None:
        callers = Callers(Keys(settings.home), *settings.rates(host))

    @app.before_request
    def admitted() -> None:
        """Refuse an unknown key, and whoever comes too often."""
        if request.endpoint != "static" and request.blueprint not in UNCOUNTED:
            g.key = callers.admit(request)


def _refuse(app: Flask) -> None:
    """Answer each error of `app` in one shape."""

    @app.errorhandler(EngineError)
    def refused(error: EngineError) -> Response:
        """Answer a deliberate error."""
        what = status(error)
        response = _problem(what.http, what.title, str(error))
        if what.http == 401:
            response.headers["WWW-Authenticate"] = "Bearer"
        if what.http == 503:
            response.headers["Retry-After"] = str(RETRY_S)
        return response

    @app.errorhandler(HTTPException)
    def http(error: HTTPException) -> Response:
        """Answer an error of the protocol."""
        detail = error.description or ""
        if detail == type(error).description:  # nobody said anything more particular
            detail = DETAILS.get(error.code or 500, detail)
        response = _problem(error.code or 500, error.name, detail)
        kept = [each for each in error.get_headers() if each[0] != "Content-Type"]
        response.headers.extend(kept)  # such as which methods are allowed
        return response

    @app.errorhandler(Exception)
    def fault(error: Exception) -> Response:
        """Answer a fault of the engine; its trace goes to the log, never out."""
        id_ = g.get("request_id")
        logger.error("fault path=%s request=%s", request.path, id_, exc_info=error)
        detail = f"The server met a fault of its own; its log says which, under {id_}."
        return _problem(500, "Internal Server Error", detail)


DETAILS = {
    404: "This address was not found; /docs lists every endpoint.",
    405: "This address has no such method; Allow says which it has.",
    413: f"The body has more than {MAX_BODY_BYTES:,} bytes; send less.",
}
"""What to do about an error of the protocol, where it does not say so itself."""

PROGRAMS = ("/healthz", "/readyz", "/metrics", "/openapi.json")
"""What programs ask beside the API: errors of all these are for them."""


def _problem(code: int, title: str, detail: str) -> Response:
    if request.path.startswith("/api/") or request.path in PROGRAMS:
        response = jsonify(payload.problem(code, title, detail))
        response.content_type = "application/problem+json"
    else:
        page = render_template("error.html", title=title, detail=detail)
        response = Response(page, content_type="text/html; charset=utf-8")
    response.status_code = code
    return response
