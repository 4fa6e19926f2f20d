"""The HTML pages, each with a Markdown twin at its address with `.md` added."""

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from importlib.resources import files
from typing import Any

from flask import Blueprint, Response, redirect, render_template, request, url_for
from werkzeug.exceptions import BadRequest, NotFound

from index.catalog import Catalog
from index.errors import EventError, FeedbackError
from index.events import Outcome
from search.constraint import MODES
from search.engine import Engine
from search.history import History
from search.need import MAX_LENGTH
from search.rank import VERSION, WEIGHTS
from search.stopwatch import timed
from web import api, asking, markdown, payload
from web.drawing import Drawings
from web.etag import conditional
from web.given import validated
from web.payload import JSON

EXAMPLES = (
    "grounded captioning on edge device",
    "transcribe meetings offline",
    "text to image that runs on my own GPU",
    "let an agent query Postgres",
)

CARRIED = ("q", "match")
"""What an address takes along to the next page: the need, and the match."""

PAIR = 2
"""Artifacts that a comparison is of."""

TWIN = ".md"
"""What an address ends in that asks for Markdown."""

Page = str | Response


def wants_markdown() -> bool:
    """Return whether the request asks for Markdown, by its address or by Accept."""
    if request.path.endswith(TWIN):
        return True
    kinds = request.accept_mimetypes
    best = kinds.best_match(["text/html", "text/markdown"])
    return best == "text/markdown" and kinds["text/html"] < kinds["text/markdown"]


def page(template: str, lines: Callable[[], Iterable[str]], **content: Any) -> Page:
    """Return the page of a template, or `lines` if the request asks for Markdown."""
    with timed("rendering"):
        if wants_markdown():
            text = "\n".join(lines()) + "\n"
            return Response(text, content_type="text/markdown; charset=utf-8")
        return render_template(template, **content)


def plain(slug: str, catalog: Catalog) -> str:
    """Return a slug without the ending that asks for Markdown."""
    return slug.removesuffix(TWIN) if slug not in catalog else slug


def pair(slugs: str, catalog: Catalog) -> tuple[str, str]:
    """Return the two slugs of an address; NotFound if no way to part it gives two."""
    text = slugs.removesuffix(TWIN)
    parts = text.split("-vs-")
    for middle in range(1, len(parts)):
        a, b = "-vs-".join(parts[:middle]), "-vs-".join(parts[middle:])
        if a in catalog and b in catalog:
            return a, b
    raise NotFound(
        f"{text!r} names no two artifacts; an address is /compare/one-vs-another"
    )


def measured() -> JSON:
    """Return the measured relevance that ships, as bench/quality.py wrote it."""
    content: JSON = json.loads(
        (files("web") / "quality.json").read_text(encoding="utf-8")
    )
    return content


def _address(asked: api.SearchQuery, flips: Mapping[str, str], **other: Any) -> str:
    """Return the address of a search with constraints' modes flipped."""
    given: dict[str, Any] = {"q": asked.q, **asked.facets}
    given |= {
        mode: [key for key, each in flips.items() if each == mode] for mode in MODES
    }
    defaults = api.SearchQuery(q=asked.q)
    if asked.limit != defaults.limit:
        given["limit"] = asked.limit
    return url_for("pages.search", **{**given, **other})


Engines = Callable[[], Engine]
"""Gives the engine that answers now."""


def blueprint(engine: Engines, history: History) -> Blueprint:
    """Return the pages over whatever engine `engine` gives, and `history`."""
    pages = Blueprint("pages", __name__)
    pages.after_request(_varying)
    _searching(pages, engine, history)
    _of_artifacts(pages, engine, history)
    _comparing(pages, engine, history)
    _about(pages, engine, history)
    return pages


def _varying(response: Response) -> Response:
    """Say that the twin of a page has its address, for who accepts that."""
    response.vary.add("Accept")
    return response


def _tell(history: History, slug: str, outcome: Outcome) -> None:
    """Log what became of a hit of the match that the address names, if any."""
    match = request.args.get("match", "")
    if match and not api.BOTS.search(request.user_agent.string):
        with suppress(FeedbackError, EventError):  # the page is shown all the same
            history.told(match, slug, outcome)


def _searching(pages: Blueprint, engine: Engines, history: History) -> None:
    @pages.get("/")
    @pages.get("/index.md", endpoint="home_twin")
    def home() -> Page:
        """Show the search box with examples."""
        now = engine()

        def shown(counts: JSON) -> Page:
            return page(
                "home.html",
                lambda: markdown.home(EXAMPLES, counts),
                examples=EXAMPLES,
                counts=counts,
            )

        counts = now.generation.manifest.counts
        return conditional(lambda: dict(counts), *asking.built(now), show=shown)

    @pages.get("/search")
    @pages.get("/search.md", endpoint="search_twin")
    def search() -> Page:
        """Show the artifacts that meet a need."""
        if not request.args.get("q", "").strip():
            return home()
        asked = api.search_query()
        found = api.answer(engine(), history, asked)

        def flipped(key: str, mode: str) -> str:
            """Return the address of the same search, one constraint's mode changed."""
            return _address(asked, {**asked.modes, key: mode})

        def narrowed(facet: str, value: str) -> str:
            """Return the address of the same search, one more value kept to or less."""
            values = [each for each in asked.facets.get(facet, ()) if each != value]
            if value not in asked.facets.get(facet, ()):
                values.append(value)
            return _address(asked, asked.modes, **{facet: values})

        def widened() -> str:
            """Return the address of the same search, kept to nothing."""
            return _address(asked, asked.modes, **{each: [] for each in asked.facets})

        return page(
            "search.html",
            lambda: markdown.answer(found),
            answer=found,
            limit=asked.limit,
            kept=asked.facets,
            flipped=flipped,
            narrowed=narrowed,
            widened=widened,
            label=payload.label,
            value=payload.row_value,
            further=lambda offset: _address(asked, asked.modes, offset=offset),
            words=payload.asked,
            modes=MODES,
        )


def _of_artifacts(pages: Blueprint, engine: Engines, history: History) -> None:
    @pages.get("/artifact/<slug>")
    def artifact(slug: str) -> Page:
        """Show everything known of one artifact."""
        using = engine()
        slug = plain(slug, using.catalog)
        using.catalog.position(slug)  # of one that is not there nothing is logged
        _tell(history, slug, "chosen")

        def made() -> JSON:
            graph = history.graph()
            others = asking.replaced(using, graph, slug, limit=3)
            return {**asking.known(using, graph, slug), "alternatives": others}

        def shown(found: JSON) -> Page:
            return page(
                "artifact.html",
                lambda: markdown.artifact(found),
                artifact=found,
                alternatives=found["alternatives"]["alternatives"],
                stated=payload.stated(found),
                label=payload.label,
                value=payload.row_value,
                match=request.args.get("match", ""),
                query=request.args.get("q", ""),
                thanks=request.args.get("thanks", ""),
            )

        return conditional(made, *asking.state(using, history), show=shown)

    @pages.get("/artifact/<slug>/alternatives")
    @pages.get("/artifact/<slug>/alternatives.md", endpoint="alternatives_twin")
    def alternatives(slug: str) -> Page:
        """Show what to use instead of one artifact."""
        asked, now = validated(api.Replacing, request.args.to_dict()), engine()

        def made() -> JSON:
            graph, family = history.graph(), asked.family
            return asking.replaced(
                now, graph, slug, asked.q, asked.limit, family=family
            )

        def shown(found: JSON) -> Page:
            return page(
                "alternatives.html",
                lambda: markdown.alternatives(found),
                found=found,
                summed=payload.summed,
                words=payload.asked,
            )

        return conditional(made, *asking.state(now, history), show=shown)

    @pages.post("/feedback")
    def feedback() -> Any:
        """Take what came of a hit from a page's form, and go back to the artifact."""
        api.own_pages_only()
        told = validated(api.Feedback, request.form.to_dict())
        history.told(told.match_id, told.slug, told.outcome, told.comment)
        address = url_for("pages.artifact", slug=told.slug, thanks=told.outcome)
        return redirect(address, code=303)


def _comparing(pages: Blueprint, engine: Engines, history: History) -> None:
    @pages.get("/compare")
    def choose() -> Any:
        """Go to the comparison of the two artifacts that were chosen."""
        chosen = list(dict.fromkeys(request.args.getlist("slug")))
        if len(chosen) != PAIR:
            raise BadRequest(
                f"{len(chosen)} artifacts are chosen; choose two of the hits to compare"
            )
        known = engine().catalog
        slugs = "-vs-".join(each for each in chosen if known.position(each) >= 0)
        given = request.args
        kept: dict[str, Any] = {
            each: given[each] for each in CARRIED if given.get(each)
        }
        return redirect(url_for("pages.compare", slugs=slugs, **kept))

    @pages.get("/compare/<slugs>")
    def compare(slugs: str) -> Page:
        """Set two artifacts side by side."""
        using = engine()
        a, b = pair(slugs, using.catalog)
        asked = request.args.get("q", "")
        _tell(history, a, "compared")
        _tell(history, b, "compared")

        def shown(found: JSON) -> Page:
            return page(
                "compare.html",
                lambda: markdown.comparison(found),
                found=found,
                label=payload.label,
                value=payload.row_value,
                contradiction=payload.contradiction,
                names={side: found[side]["name"] for side in "ab"},
            )

        return conditional(
            lambda: asking.compared(using, history.graph(), a, b, asked),
            *asking.state(using, history),
            show=shown,
        )


def _about(pages: Blueprint, engine: Engines, history: History) -> None:
    drawings = Drawings()

    @pages.get("/graph")
    @pages.get("/graph.md", endpoint="graph_twin")
    def graph() -> Page:
        """Show the match graph: shared needs, what answered them, and unmet ones."""
        now, given = engine(), request.args
        found = drawings.around(
            history.graph(),
            now.catalog,
            now.generation.id,
            given.get("need", "")[:MAX_LENGTH],
            given.get("artifact", ""),
        )
        return conditional(
            lambda: found,
            json.dumps(found),
            show=lambda found: page(
                "graph.html", lambda: markdown.graph(found), graph=found
            ),
        )

    @pages.get("/quality")
    @pages.get("/quality.md", endpoint="quality_twin")
    def quality() -> Page:
        """Show how well the engine answers judged needs."""
        return conditional(
            measured,
            show=lambda found: page(
                "quality.html", lambda: markdown.quality(found), measured=found
            ),
        )

    @pages.get("/about/rank")
    @pages.get("/about/rank.md", endpoint="about_rank_twin")
    def about_rank() -> Page:
        """Explain the rank."""
        return conditional(
            lambda: dict(WEIGHTS),
            show=lambda weights: page(
                "rank.html",
                lambda: markdown.rank(weights, VERSION),
                weights=weights,
                version=VERSION,
                meanings=payload.COMPONENTS,
            ),
        )
