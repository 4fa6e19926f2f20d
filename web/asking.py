"""What commands, API and pages ask of the engine alike, answered as JSON."""

from datetime import UTC, date, datetime

from index.errors import ComparisonError
from search.alternatives import Replacer
from search.comparison import Comparer
from search.engine import Engine
from search.graph import MatchGraph, Outcomes
from search.need import Need
from search.rank import Rank
from web import payload


def today() -> date:
    """Return the day that figures are dated against."""
    return datetime.now(UTC).date()


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
