"""The part of the match graph that is drawn: needs, capabilities and artifacts."""

import heapq
import threading
import time
from collections import OrderedDict, defaultdict
from collections.abc import Mapping
from operator import itemgetter

from index.artifact import Artifact
from search.graph import SHARED, MatchGraph, Outcomes, need_key
from web.payload import JSON, outcomes

DRAWN = 12
"""Needs and artifacts that a drawing shows at most."""

LOOKED_AT = 100
"""Shared needs whose edges are looked at for one drawing, those most asked first."""

KEPT_S, KEPT = 10.0, 64
"""Seconds that a drawing is kept, and how many are: it looks at all needs of the log,
which takes hundredths of a second where they are many."""


class Drawings:
    """Drawings of one match graph, each made anew every few seconds at most."""

    def __init__(self) -> None:
        """Keep nothing yet."""
        self._lock = threading.Lock()
        self._kept: OrderedDict[object, tuple[float, JSON]] = OrderedDict()

    def around(
        self,
        graph: MatchGraph,
        catalog: Mapping[str, Artifact],
        generation: str,
        need: str = "",
        artifact: str = "",
    ) -> JSON:
        """Return the drawing around a need, an artifact, or what is most asked.

        One of what is not shared, or not there, is empty. As of a few seconds ago.
        """
        choice = generation, need_key(need), artifact
        with self._lock:  # one at a time: the others wait for the same one
            made, found = self._kept.get(choice, (0.0, {}))
            if not made or time.monotonic() - made > KEPT_S:
                made, found = time.monotonic(), drawn(graph, catalog, need, artifact)
            self._kept[choice] = made, found
            self._kept.move_to_end(choice)
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
            return found


def drawn(
    graph: MatchGraph,
    catalog: Mapping[str, Artifact],
    need: str = "",
    artifact: str = "",
) -> JSON:
    """Return the part of the match graph around a need or an artifact, to be drawn.

    Only needs that enough distinct matches share are in it; artifacts that left the
    catalogue are not.
    """
    shared = _shared(graph, need_key(need), artifact)
    edges = [
        (key, slug, came)
        for (key, slug), came in graph.edges.of(shared).items()
        if slug in catalog and (not artifact or slug == artifact)
    ]
    left, right = defaultdict[str, float](float), defaultdict[str, float](float)
    for key, slug, came in edges:
        weight = came.counts["worked"] + came.counts["chosen"] + came.exposure / 10
        left[key] += weight
        right[slug] += weight
    keys = sorted(left, key=lambda key: (-left[key], key))[:DRAWN]
    slugs = sorted(right, key=lambda slug: (-right[slug], slug))[:DRAWN]
    return {
        "chosen": {"need": need or None, "artifact": artifact or None},
        "needs": [
            {"need": graph.needs[key].text, "matches": graph.needs[key].matches}
            for key in keys
        ],
        "artifacts": [_artifact(graph, catalog[slug]) for slug in slugs],
        "edges": sorted(
            (
                _edge(keys.index(key), slugs.index(slug), came)
                for key, slug, came in edges
                if key in keys and slug in slugs
            ),
            key=itemgetter("need", "artifact"),
        ),
        "unmet": [{"need": e.text, "matches": e.unmet} for e in graph.unmet()],
        "matches": graph.matches,
        "outcomes": graph.totals(),
        "shared": SHARED,
    }


def _shared(graph: MatchGraph, need: str, artifact: str) -> set[str]:
    """Return the keys of the needs to be looked at, all of them shared."""
    tried = graph.tried.get(artifact, ()) if artifact else ()
    keys = (need,) if need else tried or list(graph.needs)
    shared = [
        (-node.matches, key)
        for key in keys
        if (node := graph.needs.get(key)) and node.matches >= SHARED
    ]
    return {key for _, key in heapq.nsmallest(LOOKED_AT, shared)}


def _artifact(graph: MatchGraph, found: Artifact) -> JSON:
    """Return an artifact with the capability by which it was shown most, if any was."""
    shown = [
        (graph.capabilities[found.slug, each.id or ""].counts["shown"], each)
        for each in found.capabilities
        if (found.slug, each.id or "") in graph.capabilities
    ]
    best = max(shown, key=lambda each: (each[0], each[1].name))[1] if shown else None
    return {
        "slug": found.slug,
        "name": found.name,
        "capability": {"id": best.id, "name": best.name} if best else None,
        "outcomes": outcomes(graph.artifacts[found.slug]),
    }


def _edge(need: int, artifact: int, came: Outcomes) -> JSON:
    counts = ("shown", "chosen", "worked", "failed")
    return {
        "need": need,
        "artifact": artifact,
        **{name: came.counts[name] for name in counts},
    }
