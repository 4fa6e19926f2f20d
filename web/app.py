"""The Flask application: API and pages, with one shape of error for each."""

import logging
from collections.abc import Callable

from flask import Flask, Response, jsonify, render_template, request
from werkzeug.exceptions import HTTPException

from index.errors import EngineError
from search.engine import Engine
from search.history import History
from web import api, pages, payload
from web.errors import status

logger = logging.getLogger(__name__)

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; "
    "script-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    # Not "no-referrer": a form would come without its origin, and be refused.
    "Referrer-Policy": "same-origin",
}


def create_app(engine: Callable[[], Engine], history: History) -> Flask:
    """Return the application over whatever engine `engine` gives, and `history`."""
    app = Flask(__name__)
    app.json.sort_keys = False  # type: ignore[attr-defined]  # on the default provider
    app.register_blueprint(api.blueprint(engine, history))
    app.register_blueprint(api.probes(engine))
    app.register_blueprint(pages.blueprint(engine, history))

    @app.errorhandler(EngineError)
    def refused(error: EngineError) -> Response:
        """Answer a deliberate error."""
        what = status(error)
        return _problem(what.http, what.title, str(error))

    @app.errorhandler(HTTPException)
    def http(error: HTTPException) -> Response:
        """Answer an error of the protocol."""
        response = _problem(error.code or 500, error.name, error.description or "")
        kept = [each for each in error.get_headers() if each[0] != "Content-Type"]
        response.headers.extend(kept)  # such as which methods are allowed
        return response

    @app.errorhandler(Exception)
    def fault(error: Exception) -> Response:
        """Answer a fault of the engine; its trace goes to the log, never out."""
        logger.error("fault path=%s", request.path, exc_info=error)
        detail = "The server met a fault of its own; its log says which."
        return _problem(500, "Internal Server Error", detail)

    @app.after_request
    def secured(response: Response) -> Response:
        """Allow a page nothing but its own stylesheet and form."""
        response.headers.update(HEADERS)
        return response

    return app


def _problem(code: int, title: str, detail: str) -> Response:
    if request.path.startswith("/api/") or request.path in ("/healthz", "/readyz"):
        response = jsonify(payload.problem(code, title, detail))
        response.content_type = "application/problem+json"
    else:
        page = render_template("error.html", title=title, detail=detail)
        response = Response(page, content_type="text/html; charset=utf-8")
    response.status_code = code
    return response
