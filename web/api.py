"""The JSON API, version 1."""

import re
import time
from collections.abc import Callable
from typing import Annotated, Literal

from flask import Blueprint, Response, current_app, g, jsonify, request
from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema
from werkzeug.exceptions import BadRequest, Forbidden

from index.artifact import TYPES, Type
from search.constraint import MODES, Mode
from search.engine import Answer, Engine
from search.facets import FACETS
from search.history import History
from search.listing import Listing, Place, Sort
from search.need import MAX_LENGTH, MIN_LENGTH, Need
from search.stopwatch import timed
from web import asking, given, payload, schema
from web.etag import conditional
from web.openapi import describes


def _lengths(least: int, most: int = MAX_LENGTH) -> WithJsonSchema:
    """Return how long a text is that the engine itself refuses in its own words."""
    return WithJsonSchema({"type": "string", "minLength": least, "maxLength": most})


NeedText = Annotated[str, _lengths(MIN_LENGTH)]
Wish = Annotated[str, _lengths(0)]
TypeName = Annotated[str, WithJsonSchema({"type": "string", "enum": list(TYPES)})]
Key = Annotated[str, WithJsonSchema({"type": "string", "examples": ["price:free"]})]
Value = Annotated[str, Field(max_length=200)]
Source = Annotated[str, Field(max_length=100)]


class SearchQuery(BaseModel):
    """Parameters of a search."""

    model_config = ConfigDict(extra="ignore")

    q: NeedText = Field(description="The need, in plain words.")
    limit: Annotated[int, Field(ge=1, le=50)] = Field(10, description="Hits at most.")
    offset: Annotated[int, Field(ge=0, le=1_000_000)] = Field(
        0, description="Hits to pass over."
    )
    type: list[TypeName] = Field([], description="Only artifacts of these types.")
    deployment: list[Value] = Field(
        [], description="Only artifacts known to be deployed so, such as edge."
    )
    pricing: list[Value] = Field(
        [], description="Only artifacts known to be priced so, such as open_source."
    )
    license: list[Value] = Field(
        [],
        description="Only artifacts with a licence that is known to be permissive, "
        "copyleft, restricted or noncommercial, or that has this SPDX id.",
    )
    provider: list[Value] = Field(
        [], description="Only artifacts known to be of this provider."
    )
    must: list[Key] = Field([], description="Keys of constraints that must hold.")
    prefer: list[Key] = Field([], description="Keys of constraints that are wishes.")
    off: list[Key] = Field([], description="Keys of constraints that do not count.")
    explain: bool = Field(False, description="Whether to say what scores are sums of.")
    source: Source | None = Field(None, description="The caller's own name, logged.")

    @property
    def facets(self) -> dict[str, list[str]]:
        """What artifacts are kept to, by facet."""
        given = {facet: getattr(self, facet) for facet in FACETS}
        return {facet: values for facet, values in given.items() if values}

    @property
    def modes(self) -> dict[str, Mode]:
        """The constraints whose mode is asked for, by key."""
        return {key: mode for mode in MODES for key in getattr(self, mode)}


def search_query() -> SearchQuery:
    """Return the request's parameters; BadRequest naming each that is wrong."""
    return given.parameters(SearchQuery)


class Intent(BaseModel):
    """What is to be resolved to artifacts."""

    model_config = ConfigDict(extra="forbid")

    intent: NeedText = Field(description="The need, in plain words.")
    limit: Annotated[int, Field(ge=1, le=20)] = Field(
        5, description="Artifacts at most."
    )
    type: TypeName | list[TypeName] | None = Field(
        None, description="Only artifacts of this type, or of these."
    )
    source: Source | None = Field(None, description="The caller's own name, logged.")

    @property
    def types(self) -> list[str]:
        """The types asked for, none if any will do."""
        return [self.type] if isinstance(self.type, str) else self.type or []


class ArtifactsQuery(BaseModel):
    """Parameters of a page of all artifacts."""

    type: list[Type] = Field([], description="Only artifacts of these types.")
    sort: Sort = Field(
        "rank", description="Best first, by name, or updated last first; unknown last."
    )
    limit: Annotated[int, Field(ge=1, le=100)] = Field(
        20, description="Artifacts at most."
    )
    cursor: Annotated[str, Field(max_length=1000)] | None = Field(
        None, description="nextCursor of the page before; the first page has none."
    )


class Feedback(BaseModel):
    """What came of a hit that an answer showed."""

    model_config = ConfigDict(extra="forbid")

    match_id: Annotated[str, Field(alias="matchId", min_length=1, max_length=64)]
    slug: Annotated[str, Field(min_length=1, max_length=200)]
    outcome: Literal["chosen", "worked", "failed", "dismissed"]
    comment: Annotated[str, Field(max_length=500)] | None = None


BOTS = re.compile(r"(?i)bot\b|crawl|spider|slurp|preview|monitor")
"""User agents that say they are no person: their searches are answered, not logged."""


def answer(engine: Engine, history: History, asked: SearchQuery) -> payload.JSON:
    """Return the JSON of one answered search, which is logged hit by hit."""
    started = time.perf_counter()
    need = Need.read(asked.q, modes=asked.modes, facets=asked.facets)
    found = engine.search(need, asked.limit, asked.offset)
    took_ms = (time.perf_counter() - started) * 1000
    match = _logged(history, found, asked.source)
    slugs, known = engine.catalog.slugs, asking.standing(engine, history.graph())
    explain = asked.explain
    with timed("rendering"):
        return payload.answer(found, slugs, known, match, took_ms, explain=explain)


def _logged(history: History, found: Answer, source: str | None) -> str | None:
    """Return the id that an answer is logged under, None for that to a bot."""
    met = "met" if found.total else "unmet"
    g.answer = "degraded" if found.need.degraded else met
    bot = BOTS.search(request.user_agent.string)
    with timed("logging"):
        return None if bot else history.answered(found, source)


class Pair(BaseModel):
    """Parameters of a comparison."""

    a: str = Field(description="The slug of one artifact.")
    b: str = Field(description="The slug of the other.")
    q: Wish = Field("", description="What the two are compared for.")


class Replacing(BaseModel):
    """Parameters of a request for alternatives."""

    q: Wish = Field("", description="What must be different: but self-hosted.")
    limit: Annotated[int, Field(ge=1, le=50)] = Field(
        10, description="Alternatives at most."
    )
    family: bool = Field(False, description="Also its own family, each for itself.")


class Typed(BaseModel):
    """What was typed so far."""

    q: Annotated[str, _lengths(1)] = Field(description="What was typed so far.")


def blueprint(engine: Callable[[], Engine], history: History) -> Blueprint:
    """Return the API over whatever engine `engine` gives at the time, and `history`."""
    api = Blueprint("api", __name__)
    api.before_request(own_pages_only)
    _needs(api, engine, history)
    _artifacts(api, engine, history)
    _log(api, engine, history)
    return api


def own_pages_only() -> None:
    """Refuse what pages of another origin would have done in a reader's name."""
    origin = (request.headers.get("Origin") or "").rstrip("/")
    allowed = {request.host_url.rstrip("/"), *current_app.config["ORIGINS"]}
    if request.method == "POST" and origin and origin not in allowed:
        message = f"pages of {origin} may not do that"
        raise Forbidden(f"{message}; INSTEAD_ORIGINS names those that may")


def _needs(api: Blueprint, engine: Callable[[], Engine], history: History) -> None:
    """Answer needs."""

    @api.get("/api/v1/search")
    @describes(schema.SearchAnswer, parameters=SearchQuery)
    def search(asked: SearchQuery) -> Response:
        """Answer a need with ranked artifacts."""
        found = answer(engine(), history, asked)
        with timed("rendering"):
            return jsonify(found)

    @api.post("/api/v1/resolve")
    @describes(schema.ResolveAnswer, body=Intent)
    def resolve(told: Intent) -> Response:
        """Resolve an intent to artifacts, each with what would do instead."""
        now = engine()
        found = now.search(Need.read(told.intent, told.types), told.limit)
        match = _logged(history, found, told.source)
        return jsonify(asking.resolved(now, history.graph(), found, match))

    @api.get("/api/v1/suggest")
    @describes(schema.SuggestAnswer, parameters=Typed, conditional=True)
    def suggest(asked: Typed) -> Response:
        """Return completions of what was typed so far, and what was meant."""
        if not asked.q.strip() or len(asked.q) > MAX_LENGTH:
            raise BadRequest(f"q: should have 1 to {MAX_LENGTH} characters")
        now = engine()
        return conditional(
            lambda: payload.suggestion(now.suggest(asked.q)), *asking.built(now)
        )


def _artifacts(api: Blueprint, engine: Callable[[], Engine], history: History) -> None:
    """Tell of artifacts, alone and beside each other."""
    listing = Listing()

    def unless_known(now: Engine, make: Callable[[], payload.JSON]) -> Response:
        """Return what `make` gives, unless the caller has it."""
        return conditional(make, *asking.state(now, history))

    @api.get("/api/v1/artifacts")
    @describes(schema.Listing, parameters=ArtifactsQuery, conditional=True)
    def artifacts(asked: ArtifactsQuery) -> Response:
        """List all artifacts, page by page."""
        now, after = engine(), _place(asked)

        def made() -> payload.JSON:
            graph, sort = history.graph(), asked.sort
            return asking.listed(
                listing, now, graph, sort, asked.type, asked.limit, after
            )

        return unless_known(now, made)

    @api.get("/api/v1/artifacts/<slug>")
    @describes(schema.ArtifactAnswer, errors=(404,), conditional=True)
    def artifact(slug: str) -> Response:
        """Return everything known of one artifact."""
        now = engine()
        return unless_known(now, lambda: asking.known(now, history.graph(), slug))

    @api.get("/api/v1/artifacts/<slug>/alternatives")
    @describes(
        schema.AlternativesAnswer,
        parameters=Replacing,
        errors=(404,),
        conditional=True,
    )
    def alternatives(slug: str, asked: Replacing) -> Response:
        """Return what to use instead of one artifact."""
        now = engine()

        def made() -> payload.JSON:
            graph = history.graph()
            return asking.replaced(
                now, graph, slug, asked.q, asked.limit, family=asked.family
            )

        return unless_known(now, made)

    @api.get("/api/v1/compare")
    @describes(
        schema.ComparisonAnswer, parameters=Pair, errors=(404,), conditional=True
    )
    def compare(asked: Pair) -> Response:
        """Set two artifacts side by side."""
        now = engine()

        def made() -> payload.JSON:
            graph = history.graph()
            return asking.compared(now, graph, asked.a, asked.b, asked.q)

        return unless_known(now, made)


def _place(asked: ArtifactsQuery) -> Place | None:
    """Return the place that the cursor names, None for the first page."""
    if asked.cursor is None:
        return None
    try:
        return payload.place(asked.cursor, asked.sort)
    except ValueError as error:
        raise BadRequest(f"cursor: {error}") from error


def _log(api: Blueprint, engine: Callable[[], Engine], history: History) -> None:
    """Take what came of answers, tell what is counted, and check records."""

    @api.post("/api/v1/feedback")
    @describes(schema.FeedbackAnswer, body=Feedback, status=202, errors=(422,))
    def feedback(told: Feedback) -> tuple[Response, int]:
        """Take what came of a hit; the answer is 202 once it is on the disk."""
        event = history.told(told.match_id, told.slug, told.outcome, told.comment)
        return jsonify({"eventId": event}), 202

    @api.get("/api/v1/stats")
    @describes(schema.StatsAnswer)
    def stats() -> Response:
        """Count artifacts, capabilities, matches and outcomes; name unmet needs."""
        return jsonify(payload.stats(engine().generation.manifest, history.graph()))

    @api.post("/api/v1/validate")
    @describes(schema.ValidateAnswer, body=schema.Record)
    def validate(told: schema.Record) -> Response:
        """List what is wrong with one record of a catalogue, and what is thin."""
        return jsonify(asking.validated(request.get_data()))


def probes(engine: Callable[[], Engine]) -> Blueprint:
    """Return what tells a supervisor that the process lives and answers."""
    probes = Blueprint("probes", __name__)

    @probes.get("/healthz")
    @describes(schema.HealthAnswer)
    def healthz() -> Response:
        """Say that the process lives."""
        return jsonify({"status": "ok"})

    @probes.get("/readyz")
    @describes(schema.ReadyAnswer)
    def readyz() -> Response:
        """Say which generation answers."""
        return jsonify({"status": "ready", "generation": engine().generation.id})

    return probes
