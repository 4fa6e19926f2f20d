"""The JSON API, version 1."""

import time
from collections.abc import Callable
from typing import Annotated, Any

from flask import Blueprint, Response, jsonify, request
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from werkzeug.exceptions import BadRequest

from search.constraint import MODES, Mode
from search.engine import Engine
from search.need import MAX_LENGTH, Need
from web import payload


class SearchQuery(BaseModel):
    """Parameters of a search."""

    model_config = ConfigDict(extra="ignore")

    q: str
    limit: Annotated[int, Field(ge=1, le=50)] = 10
    offset: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    type: list[str] = []
    must: list[str] = []
    prefer: list[str] = []
    off: list[str] = []
    explain: bool = False
    source: Annotated[str, Field(max_length=100)] | None = None

    @property
    def modes(self) -> dict[str, Mode]:
        """The constraints whose mode is asked for, by key."""
        return {key: mode for mode in MODES for key in getattr(self, mode)}


LISTS = ("type", *MODES)
"""Parameters that may be given more than once."""


def search_query() -> SearchQuery:
    """Return the request's parameters; BadRequest naming each that is wrong."""
    given: dict[str, Any] = {
        name: value for name, value in request.args.items() if name not in LISTS
    }
    given |= {name: request.args.getlist(name) for name in LISTS}
    try:
        return SearchQuery(**given)
    except ValidationError as error:
        faults = (
            f"{'.'.join(map(str, each['loc']))}: {each['msg'].lower()}"
            for each in error.errors(include_url=False)
        )
        raise BadRequest("; ".join(faults)) from error


def answer(engine: Engine, asked: SearchQuery) -> payload.JSON:
    """Return the JSON of one answered search."""
    started = time.perf_counter()
    need = Need.read(asked.q, asked.type, asked.modes)
    found = engine.search(need, asked.limit, asked.offset)
    took_ms = (time.perf_counter() - started) * 1000
    return payload.answer(found, engine.catalog.slugs, took_ms, explain=asked.explain)


def blueprint(engine: Callable[[], Engine]) -> Blueprint:
    """Return the API over whatever engine `engine` gives at the time."""
    api = Blueprint("api", __name__)

    @api.get("/api/v1/search")
    def search() -> Response:
        """Answer a need with ranked artifacts."""
        return jsonify(answer(engine(), search_query()))

    @api.get("/api/v1/artifacts/<slug>")
    def artifact(slug: str) -> Response:
        """Return everything known of one artifact."""
        return jsonify(payload.artifact(engine().catalog[slug]))

    @api.get("/api/v1/suggest")
    def suggest() -> Response:
        """Return completions of what was typed so far, and what was meant."""
        text = request.args.get("q", "")
        if not text.strip() or len(text) > MAX_LENGTH:
            raise BadRequest(f"q: should have 1 to {MAX_LENGTH} characters")
        return jsonify(payload.suggestion(engine().suggest(text)))

    @api.get("/healthz")
    def healthz() -> Response:
        """Say that the process lives."""
        return jsonify({"status": "ok"})

    @api.get("/readyz")
    def readyz() -> Response:
        """Say which generation answers."""
        return jsonify({"status": "ready", "generation": engine().generation.id})

    return api
