"""From a need to ranked artifacts: retrieve, score, fuse, take each one's best."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from index.encoder import NeedEncoder
from index.generation import Generation
from index.hits import Rows, Scores, firsts, rank
from index.keyword import analyse
from search.confidence import Evidence
from search.explanation import Explanation
from search.fusion import factors, fuse, weights
from search.need import Need
from search.retriever import (
    KeywordRetriever,
    NameRetriever,
    Retriever,
    VectorRetriever,
)

DEPTH = 500
"""Capabilities each leg proposes. Any of them gets the score of every leg, so a deeper
list changes only what neither leg puts among its first 500."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """Capabilities under consideration, by row, with every leg's scores and weight.

    `scores` are fused: each the sum of the legs' scores times their factors.
    """

    rows: Rows
    legs: dict[str, Scores]
    weights: dict[str, float]
    factors: dict[str, float]
    scores: Scores


@dataclass(frozen=True, slots=True)
class Ranked:
    """Artifacts best first, each by its best capability.

    `artifacts` are positions in the catalogue, `evidence` belongs to them; `rows` are
    all candidate capabilities, best first.
    """

    need: Need
    candidates: Candidates
    rows: Rows
    artifacts: NDArray[np.int64]
    evidence: Evidence


class Ranker:
    """Ranks the artifacts of one open generation, by all retrievers together."""

    def __init__(self, generation: Generation, encoder: NeedEncoder) -> None:
        """Rank `generation`; `encoder` is the one its passages are from."""
        self._generation = generation
        self._encoder = encoder
        self.catalog = catalog = generation.catalog
        self.retrievers: Sequence[Retriever] = (
            KeywordRetriever(catalog, generation.keyword),
            VectorRetriever(catalog, generation.vector, encoder),
            NameRetriever(catalog),
        )

    def understand(self, need: Need) -> Need:
        """Return `need` with its misspelt words corrected."""
        corrections = self._generation.spelling.corrections(
            need.text, self._encoder.is_word
        )
        return replace(need, corrections=corrections)

    def begins_word(self, text: str) -> bool:
        """Return whether the last word of `text` may be an unfinished one."""
        return self._generation.spelling.begins_word(text)

    def candidates(self, need: Need) -> Candidates:
        """Return the capabilities that any retriever proposes, scored by all."""
        proposed = {each.name: each.retrieve(need, DEPTH) for each in self.retrievers}
        rows = np.unique(np.concatenate([each.rows for each in proposed.values()]))
        legs = {each.name: each.score(need, rows) for each in self.retrievers}
        shares = weights(
            {
                each.name: each.trust(need, proposed[each.name])
                for each in self.retrievers
            }
        )
        by = factors(legs, shares)
        return Candidates(rows, legs, shares, by, fuse(legs, by))

    def rank(self, need: Need) -> Ranked:
        """Return the artifacts for `need`, best first, ties by slug."""
        need = self.understand(need)
        found = self.candidates(need)
        ordered = rank(found.rows, found.scores, len(found.rows)).rows
        best = ordered[firsts(self.catalog.owners[ordered])]
        return Ranked(
            need=need,
            candidates=found,
            rows=ordered,
            artifacts=self.catalog.owners[best],
            evidence=self._evidence(need, found, np.searchsorted(found.rows, best)),
        )

    def _evidence(
        self, need: Need, found: Candidates, places: NDArray[np.int64]
    ) -> Evidence:
        index = self._generation.keyword
        by_words = found.legs["keyword"][places]
        ceiling = index.ceiling(analyse(need.topic))
        return Evidence(
            closeness=found.legs["vector"][places],
            scores=found.scores[places],
            said=by_words / ceiling if ceiling else by_words,
            covered=by_words / np.maximum(index.totals[found.rows[places]], 1e-9),
            named=found.legs["name"][places] == 1,
        )

    def explain(self, need: Need, row: int, among: Candidates) -> Explanation:
        """Return the score of capability `row` as a tree whose leaves add up to it."""
        parts = tuple(
            replace(
                own := each.explain(need, row).scaled(among.factors[each.name]),
                text=f"{own.text} (weight {among.weights[each.name]:.2f} here)",
            )
            for each in self.retrievers
            if among.weights[each.name] > 0
        )
        return Explanation.total("score", parts)
