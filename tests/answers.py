"""Needs, and all that a search answers to one: to hold two engines to the same."""

import json
from pathlib import Path
from typing import Any

from search.engine import Engine
from search.graph import MatchGraph
from search.need import Need
from web import asking, payload

NEEDS = [
    json.loads(line)["text"]
    for line in Path("bench/needs/needs.jsonl").read_text(encoding="utf-8").splitlines()
]


def said(engine: Engine, text: str, offset: int = 0, **given: Any) -> dict[str, Any]:
    """Return all that a search answers, explained."""
    found = engine.search(Need.read(text, **given), 10, offset)
    standing = asking.standing(engine, MatchGraph())
    return payload.answer(found, engine.catalog.slugs, standing, None, 0, explain=True)
