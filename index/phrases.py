"""What people type: names of artifacts and intents, by how they begin."""

import json
import re
from bisect import bisect_left
from functools import cached_property
from itertools import islice, takewhile
from pathlib import Path
from typing import NamedTuple

from index.catalog import Catalog

FILE = "phrases.json"


class Phrase(NamedTuple):
    """A phrase under the lower-case key it is found by; `slug` if it is a name."""

    key: str
    text: str
    slug: str | None


def build(catalog: Catalog, folder: Path) -> None:
    """Write the names of `catalog`, found by each of their words, and its intents."""
    phrases = {
        Phrase(artifact.name.casefold()[match.start() :], artifact.name, artifact.slug)
        for artifact in catalog.values()
        for match in re.finditer(r"[^\W_]+", artifact.name.casefold())
    }
    phrases |= {
        Phrase(intent.casefold(), intent, None)
        for artifact in catalog.values()
        for capability in artifact.capabilities
        for intent in capability.intents
    }
    ordered = sorted(phrases, key=lambda each: (each.key, each.text, each.slug or ""))
    content = json.dumps(ordered, ensure_ascii=False)
    (folder / FILE).write_text(content, encoding="utf-8")


class Phrases:
    """Phrases by their beginning; read at the first use, since most runs need none."""

    def __init__(self, folder: Path) -> None:
        """Name the folder that `build` wrote to."""
        self._path = folder / FILE

    @cached_property
    def _ordered(self) -> list[Phrase]:
        return [Phrase(*each) for each in json.loads(self._path.read_bytes())]

    def starting(self, text: str, most: int = 1000) -> list[Phrase]:
        """Return the phrases whose key begins with `text`, by key, `most` at most."""
        start = text.casefold()
        first = bisect_left(self._ordered, (start,))
        following = islice(self._ordered, first, first + most)
        return list(takewhile(lambda each: each.key.startswith(start), following))
