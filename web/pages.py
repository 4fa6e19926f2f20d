"""The HTML pages."""

from collections.abc import Callable

from flask import Blueprint, render_template, request

from search.engine import Engine
from web import api, payload

EXAMPLES = (
    "grounded captioning on edge device",
    "transcribe meetings offline",
    "text to image that runs on my own GPU",
    "let an agent query Postgres",
)


def blueprint(engine: Callable[[], Engine]) -> Blueprint:
    """Return the pages over whatever engine `engine` gives at the time."""
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
        found = api.answer(engine(), asked)
        return render_template("search.html", answer=found, limit=asked.limit)

    @pages.get("/artifact/<slug>")
    def artifact(slug: str) -> str:
        """Show everything known of one artifact."""
        found = payload.artifact(engine().catalog[slug])
        return render_template(
            "artifact.html",
            artifact=found,
            stated=payload.stated(found),
            label=payload.label,
            shown=payload.shown,
        )

    return pages
