"""The JSON API, version 1."""

import re
import time
from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeVar

from flask import Blueprint, Response, jsonify, request
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from werkzeug.exceptions import BadRequest, Forbidden

from search.constraint import MODES, Mode
from search.engine import Engine
from search.history import History
from search.need import MAX_LENGTH, Need
from web import asking, payload


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
    return validated(SearchQuery, given)


Model = TypeVar("Model", bound=BaseModel)


def validated(model: type[Model], given: Any) -> Model:
    """Return what was given as a `model`; BadRequest naming each fault."""
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise BadRequest(faults(error)) from error


class Feedback(BaseModel):
    """What came of a hit that an answer showed."""

    model_config = ConfigDict(extra="forbid")

    match_id: Annotated[str, Field(alias="matchId", min_length=1, max_length=64)]
    slug: Annotated[str, Field(min_length=1, max_length=200)]
    outcome: Literal["chosen", "worked", "failed", "dismissed"]
    comment: Annotated[str, Field(max_length=500)] | None = None


def faults(error: ValidationError) -> str:
    """Return what is wrong with each parameter."""
    return "; ".join(
        f"{'.'.join(map(str, each['loc'])) or 'body'}: {each['msg'].lower()}"
        for each in error.errors(include_url=False)
    )


BOTS = re.compile(r"(?i)bot\b|crawl|spider|slurp|preview|monitor")
"""User agents that say they are no person: their searches are answered, not logged."""


def answer(engine: Engine, history: History, asked: SearchQuery) -> payload.JSON:
    """Return the JSON of one answered search, which is logged hit by hit."""
    started = time.perf_counter()
    need = Need.read(asked.q, asked.type, asked.modes)
    found = engine.search(need, asked.limit, asked.offset)
    took_ms = (time.perf_counter() - started) * 1000
    bot = BOTS.search(request.user_agent.string)
    match = None if bot else history.answered(found, asked.source)
    slugs, known = engine.catalog.slugs, asking.standing(engine, history.graph())
    return payload.answer(found, slugs, known, match, took_ms, explain=asked.explain)


class Pair(BaseModel):
    """Parameters of a comparison."""

    a: str
    b: str
    q: str = ""


class Replacing(BaseModel):
    """Parameters of a request for alternatives."""

    q: str = ""
    limit: Annotated[int, Field(ge=1, le=50)] = 10
    family: bool = False


def own_pages_only() -> None:
    """Raise Forbidden for a request that another site's page has sent."""
    origin = request.headers.get("Origin")
    if origin and origin.rstrip("/") != request.host_url.rstrip("/"):
        raise Forbidden("feedback is taken from this server's own pages alone")


def blueprint(engine: Callable[[], Engine], history: History) -> Blueprint:
    """Return the API over whatever engine `engine` gives at the time, and `history`."""
    api = Blueprint("api", __name__)

    @api.get("/api/v1/search")
    def search() -> Response:
        """Answer a need with ranked artifacts."""
        return jsonify(answer(engine(), history, search_query()))

    @api.get("/api/v1/artifacts/<slug>")
    def artifact(slug: str) -> Response:
        """Return everything known of one artifact."""
        return jsonify(asking.known(engine(), history.graph(), slug))

    @api.get("/api/v1/artifacts/<slug>/alternatives")
    def alternatives(slug: str) -> Response:
        """Return what to use instead of one artifact."""
        asked = validated(Replacing, request.args.to_dict())
        graph = history.graph()
        return jsonify(
            asking.replaced(
                engine(), graph, slug, asked.q, asked.limit, family=asked.family
            )
        )

    @api.get("/api/v1/compare")
    def compare() -> Response:
        """Set two artifacts side by side."""
        pair = validated(Pair, request.args.to_dict())
        graph = history.graph()
        return jsonify(asking.compared(engine(), graph, pair.a, pair.b, pair.q))

    @api.post("/api/v1/feedback")
    def feedback() -> tuple[Response, int]:
        """Take what came of a hit; the answer is 202 once it is on the disk."""
        own_pages_only()
        told = validated(Feedback, request.get_json())
        event = history.told(told.match_id, told.slug, told.outcome, told.comment)
        return jsonify({"eventId": event}), 202

    @api.get("/api/v1/stats")
    def stats() -> Response:
        """Count artifacts, capabilities, matches and outcomes; name unmet needs."""
        return jsonify(payload.stats(engine().generation.manifest, history.graph()))

    @api.get("/api/v1/suggest")
    def suggest() -> Response:
        """Return completions of what was typed so far, and what was meant."""
        text = request.args.get("q", "")
        if not text.strip() or len(text) > MAX_LENGTH:
            raise BadRequest(f"q: should have 1 to {MAX_LENGTH} characters")
        return jsonify(payload.suggestion(engine().suggest(text)))

    return api


def probes(engine: Callable[[], Engine]) -> Blueprint:
    """Return what tells a supervisor that the process lives and answers."""
    probes = Blueprint("probes", __name__)

    @probes.get("/healthz")
    def healthz() -> Response:
        """Say that the process lives."""
        return jsonify({"status": "ok"})

    @probes.get("/readyz")
    def readyz() -> Response:
        """Say which generation answers."""
        return jsonify({"status": "ready", "generation": engine().generation.id})

    return probes
