"""The HTML pages."""

from collections.abc import Callable, Mapping
from typing import Any

from flask import Blueprint, render_template, request, url_for

from search.constraint import MODES
from search.engine import Engine
from search.history import History
from web import api, asking, payload

EXAMPLES = (
    "grounded captioning on edge device",
    "transcribe meetings offline",
    "text to image that runs on my own GPU",
    "let an agent query Postgres",
)


def _address(asked: api.SearchQuery, flips: Mapping[str, str], offset: int = 0) -> str:
    """Return the address of a search with constraints' modes flipped."""
    given: dict[str, Any] = {"q": asked.q, "type": asked.type}
    given |= {
        mode: [key for key, each in flips.items() if each == mode] for mode in MODES
    }
    defaults = api.SearchQuery(q=asked.q)
    if asked.limit != defaults.limit:
        given["limit"] = asked.limit
    if offset:
        given["offset"] = offset
    return url_for("pages.search", **given)


def blueprint(engine: Callable[[], Engine], history: History) -> Blueprint:
    """Return the pages over whatever engine `engine` gives, and `history`."""
    pages = Blueprint("pages", __name__)

    @pages.get("/")
    def home() -> str:
        """Show the search box with examples."""
        counts = engine().generation.manifest.counts
        return render_template("home.html", examples=EXAMPLES, counts=counts)

    @pages.get("/search")
    def search() -> str:
        """Show the artifacts that meet a need."""
        if not request.args.get("q", "").strip():
            return home()
        asked = api.search_query()
        found = api.answer(engine(), history, asked)

        def flipped(key: str, mode: str) -> str:
            """Return the address of the same search, one constraint's mode changed."""
            return _address(asked, {**asked.modes, key: mode})

        return render_template(
            "search.html",
            answer=found,
            limit=asked.limit,
            flipped=flipped,
            further=lambda offset: _address(asked, asked.modes, offset=offset),
            words=payload.asked,
            modes=MODES,
        )

    @pages.get("/artifact/<slug>")
    def artifact(slug: str) -> str:
        """Show everything known of one artifact."""
        found = asking.known(engine(), history.graph(), slug)
        return render_template(
            "artifact.html",
            artifact=found,
            stated=payload.stated(found),
            label=payload.label,
            shown=payload.shown,
        )

    return pages
