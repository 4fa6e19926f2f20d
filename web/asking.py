"""What commands, API and pages ask of the engine alike, answered as JSON."""

from collections.abc import Collection, Iterable
from datetime import UTC, date, datetime

from index.artifact import Artifact
from index.errors import ComparisonError
from index.review import review
from index.source import examine
from search.alternatives import Replacer
from search.comparison import Comparer
from search.engine import Answer, Engine
from search.graph import MatchGraph, Outcomes
from search.history import History
from search.listing import Listing, Place, Sort
from search.need import Need
from search.rank import Rank
from web import payload


def today() -> date:
    """Return the day that figures are dated against."""
    return datetime.now(UTC).date()


def built(engine: Engine) -> tuple[object, ...]:
    """Return what tells one generation from any other."""
    manifest = engine.generation.manifest
    return manifest.id, manifest.created


def state(engine: Engine, history: History) -> tuple[object, ...]:
    """Return all that an answer depends on which is not a search.

    That is the generation, the log and what is learned from it, and the day that
    figures are dated against.
    """
    learned = engine.ranker.memory.outcomes
    return *built(engine), history.state(), learned, today()


def standing(engine: Engine, graph: MatchGraph) -> payload.Standing:
    """Return what gives each artifact's rank today, the outcomes of `graph` counted."""
    ranks = engine.ranks(today())

    def rank(slug: str) -> Rank:
        """Return the rank of the artifact with `slug`."""
        return ranks.of(engine.catalog.position(slug), graph.artifacts.get(slug))

    return rank


def known(engine: Engine, graph: MatchGraph, slug: str) -> payload.JSON:
    """Return everything known of an artifact; UnknownArtifactError if there is none."""
    found = engine.catalog[slug]
    came = graph.artifacts.get(slug) or Outcomes()
    return payload.artifact(found, standing(engine, graph)(slug), came)


def compared(
    engine: Engine, graph: MatchGraph, a: str, b: str, text: str = ""
) -> payload.JSON:
    """Return artifact `a` beside `b`, for the need `text` unless it is blank.

    Raises ComparisonError for one artifact twice, UnknownArtifactError, NeedError.
    """
    if a == b:
        raise ComparisonError(f"both artifacts are {a!r}; name two that differ")
    need = Need.read(text) if text.strip() else None
    found = Comparer(engine).compare(a, b, graph, today(), need)
    return payload.comparison(found, engine.catalog.slugs, engine.generation.id)


def replaced(
    engine: Engine,
    graph: MatchGraph,
    slug: str,
    text: str = "",
    limit: int = 10,
    *,
    family: bool = False,
) -> payload.JSON:
    """Return `limit` alternatives to an artifact, for the need `text` unless blank.

    Raises UnknownArtifactError, NeedError.
    """
    need = Need.read(text) if text.strip() else None
    found = Replacer(engine).instead_of(slug, graph, need, limit, family=family)
    known = standing(engine, graph)
    slugs = engine.catalog.slugs
    return payload.alternatives(found, slugs, known, engine.generation.id)


SPARE = 3
"""Alternatives given with each artifact that a need is resolved to."""


def resolved(
    engine: Engine, graph: MatchGraph, found: Answer, match: str | None
) -> payload.JSON:
    """Return what the need of `found` comes down to, each with what else would do.

    `match` is the id it was logged under, None if it was not.
    """
    replacer = Replacer(engine)
    asked = Need.read(found.need.text, modes=found.need.modes, facets=found.need.facets)
    others = [
        replacer.instead_of(hit.artifact.slug, graph, asked, SPARE)
        for hit in found.hits
    ]
    now = datetime.now(UTC)
    return payload.resolved(found, others, standing(engine, graph), match, now)


def listed(
    listing: Listing,
    engine: Engine,
    graph: MatchGraph,
    sort: Sort,
    types: Collection[str],
    limit: int,
    after: Place | None,
) -> payload.JSON:
    """Return the page of all artifacts that follows the place `after`."""
    page = listing.page(engine, graph, today(), sort, types, limit, after)
    known = standing(engine, graph)
    return payload.listing(page, sort, known, engine.generation.id)


def thin(artifact: Artifact, unread: Iterable[str]) -> list[str]:
    """Return all that is thin about a record, as `field: what is thin`."""
    stray = [f"{field}: is not a field of the format" for field in unread]
    return [*stray, *review(artifact, today())]


def validated(record: bytes) -> payload.JSON:
    """Return the faults and warnings of one artifact, as for a line of a catalogue."""
    artifact, unread, faults = examine(record)
    warnings = [] if artifact is None else thin(artifact, unread)
    return {"errors": faults, "warnings": warnings}
