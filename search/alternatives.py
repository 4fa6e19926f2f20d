"""Alternatives: what to use instead of an artifact, and what that keeps and costs."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from index.artifact import Artifact, Capability
from index.hits import Scores, rank
from search.alignment import Alignment
from search.constraint import Checked
from search.engine import Engine
from search.graph import MatchGraph
from search.need import Need

TYPE, KIND, TAKES, GIVES, NAMED, WITH, SHARED = 0.1, 0.3, 0.1, 0.1, 0.2, -0.1, 0.3
"""What is added to how much is covered, at most: for the same type, words of what it
is, inputs, outputs, being named beside each other; what being part of the other's work
takes; and what needs add that both were right for. Chosen on half of
bench/alternatives.jsonl."""

TOPIC = 0.5
"""Share of the score that the topic of a need decides, if one is said."""

HALF_KNOWN = 2.0
"""Shared needs of which half of what they say counts."""

LOOKED_AT = 5
"""How many times the number asked for is looked through for variants."""


@dataclass(frozen=True, slots=True)
class Alternative:
    """An artifact to use instead, the likeliest first.

    `parts` add up to `score`, unless a need takes part. `kept` are capabilities of the
    replaced one, each with the one that does it here, `lost` those that nothing here
    does, `gained` those that do none of its. `variants` are others of its
    family; `beside` says whether either's record names the other as a rival, `shared`
    for how many needs both were right.
    """

    artifact: Artifact
    score: float
    parts: dict[str, float]
    kept: tuple[tuple[Capability, Capability], ...]
    lost: tuple[Capability, ...]
    gained: tuple[Capability, ...]
    checked: tuple[Checked, ...]
    variants: tuple[Artifact, ...]
    beside: bool
    shared: int


@dataclass(frozen=True, slots=True)
class Alternatives:
    """What to use instead of `artifact`; `need` as it was understood, if any."""

    artifact: Artifact
    need: Need | None
    found: tuple[Alternative, ...]


class Replacer:
    """Finds alternatives among the artifacts of one engine."""

    def __init__(self, engine: Engine) -> None:
        """Look among what `engine` knows; nothing but a need is encoded."""
        self._ranker = engine.ranker
        self._catalog = engine.catalog
        self._generation = engine.generation
        self._aligner = engine.aligner
        self._facets = engine.facets

    def instead_of(
        self,
        slug: str,
        graph: MatchGraph,
        need: Need | None = None,
        k: int = 10,
        *,
        family: bool = False,
    ) -> Alternatives:
        """Return the `k` best alternatives to the artifact with `slug`.

        `need` adds what must or may hold, and a topic. Of a family the best is listed,
        the others are its variants; its own family is left out unless `family`, which
        lists every artifact for itself. Ties go by slug. Raises UnknownArtifactError.
        """
        own = self._catalog.position(slug)
        if need is not None:
            need = self._ranker.understand(need)
        shared = graph.shared(slug)
        parts = self._parts(own, graph, shared)
        scores = sum(parts.values(), np.zeros(len(self._catalog)))
        allowed = np.ones(len(self._catalog), dtype=np.bool_)
        if need is not None:
            scores = self._for_need(need, scores)
            allowed = self._ranker.allowed(need) & self._facets.kept(need.facets)
        allowed[own] = False
        families = self._generation.claims.families
        if own in families and not family:
            members = [each for each in families if families[each] == families[own]]
            allowed[members] = False
        places = np.flatnonzero(allowed)
        order = rank(places, scores[places], LOOKED_AT * k).rows
        groups: dict[str, list[int]] = {}
        for position in order.tolist():
            key = self._catalog.slugs[position]
            if position in families and not family:
                key = f"/{families[position]}"
            if key in groups or len(groups) < k:
                groups.setdefault(key, []).append(position)
        found = []
        for first, *variants in groups.values():
            other = self._catalog.at(first)
            aligned = self._aligner.covered(own, first)
            found.append(
                Alternative(
                    artifact=other,
                    score=float(scores[first]),
                    parts={name: float(each[first]) for name, each in parts.items()},
                    checked=self._ranker.check(need, first) if need else (),
                    variants=tuple(map(self._catalog.at, variants)),
                    beside=bool(parts["named"][first]),
                    shared=shared[other.slug],
                    **self._kept(aligned),
                )
            )
        return Alternatives(self._catalog.at(own), need, tuple(found))

    def _kept(self, aligned: Alignment) -> dict[str, Any]:
        capability = self._catalog.capability
        return {
            "kept": tuple((capability(e.a), capability(e.b)) for e in aligned.both),
            "lost": tuple(map(capability, aligned.only_a)),
            "gained": tuple(map(capability, aligned.only_b)),
        }

    def _parts(
        self, own: int, graph: MatchGraph, shared: Mapping[str, int]
    ) -> dict[str, Scores]:
        """Return what each artifact's score is the sum of, by position."""
        size = len(self._catalog)
        claims, mentions = self._generation.claims, self._generation.mentions
        named, works = np.zeros(size), np.zeros(size)
        named[mentions.beside(own)] += 0.5
        named[mentions.rivals(own)] += 0.5
        works[mentions.works_with(own)] = 1.0
        proven = np.zeros(size)
        for slug, count in shared.items():
            if slug in self._catalog:
                place = self._catalog.position(slug)
                proven[place] = count / (count + HALF_KNOWN)
        types = self._catalog.types
        return {
            "covered": self._covered(own, graph),
            "type": TYPE * (types == types[own]),
            "kind": KIND * claims.overlap("kind", own),
            "inputs": TAKES * claims.overlap("inputs", own),
            "outputs": GIVES * claims.overlap("outputs", own),
            "named": NAMED * named,
            "with": WITH * works,
            "shared": SHARED * proven,
        }

    def _covered(self, own: int, graph: MatchGraph) -> Scores:
        """Return how much of what one does each artifact does, in [0, 1].

        For every capability the greatest cosine to one of the artifact's, squared, so
        that little likeness counts for little; the mean, weighed by how often each was
        what somebody chose the artifact for.
        """
        rows = self._aligner.rows(own)
        vectors = self._generation.vector.vectors
        cosines = np.maximum(vectors @ vectors[rows].T, 0)
        best = np.maximum.reduceat(cosines, self._catalog.starts[:-1], axis=0)
        artifact = self._catalog.at(own)
        wanted = np.array(
            [
                1.0 + self._chosen(artifact.slug, each.id or "", graph)
                for each in artifact.capabilities
            ]
        )
        covered: Scores = best.astype(np.float64) ** 2 @ wanted / wanted.sum()
        return covered

    def _chosen(self, slug: str, capability: str, graph: MatchGraph) -> float:
        came = graph.capabilities.get((slug, capability))
        return came.counts["chosen"] + came.counts["worked"] if came else 0.0

    def _for_need(self, need: Need, scores: Scores) -> Scores:
        """Return `scores` with the topic's share, less what is in doubt."""
        if need.said:
            bare = replace(need, constraints=(), anchors=())
            found = self._ranker.candidates(bare)
            topic = np.zeros(len(scores))
            np.maximum.at(topic, self._catalog.owners[found.rows], found.scores)
            topic /= max(topic.max(), 1e-9)
            scores = (1 - TOPIC) * scores + TOPIC * topic
        return scores * (1 - self._ranker.doubts(need, np.arange(len(scores))))


def why(listed: Alternative, instead_of: Artifact) -> list[str]:
    """Return the sentences that say why an alternative is listed."""
    total = len(listed.kept) + len(listed.lost)
    count = len(listed.kept)
    sentences = [
        f"{listed.artifact.name} does {count} of the {total} things that "
        f"{instead_of.name} does, at least in part."
        if count
        else f"Nothing that {instead_of.name} does has a clear counterpart in it; it "
        "is near in meaning."
    ]
    if listed.beside:
        sentences.append("A record of the two names the other as a rival.")
    if listed.shared:
        needs = "1 need" if listed.shared == 1 else f"{listed.shared} needs"
        sentences.append(
            f"It was right for {needs} that {instead_of.name} was right for."
        )
    if listed.variants:
        names = ", ".join(each.name for each in listed.variants)
        sentences.append(f"Of the same family: {names}.")
    return sentences
