"""The engine: one open generation answering needs."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from index.artifact import Artifact, Capability
from index.encoder import NeedEncoder
from index.generation import Generation
from index.hits import Rows, Scores, rank
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

SHOWN_CAPABILITIES = 3
"""Capabilities named with a hit: the one that matched, and the next best."""


@dataclass(frozen=True, slots=True)
class Match:
    """A capability that meets a need, with its score and why."""

    capability: Capability
    explanation: Explanation

    @property
    def score(self) -> float:
        """The capability's score, the sum of its explanation's leaves."""
        return self.explanation.value


@dataclass(frozen=True, slots=True)
class Hit:
    """An artifact for a need, at a position from 1, its best capability first."""

    position: int
    artifact: Artifact
    matches: tuple[Match, ...]

    @property
    def score(self) -> float:
        """The artifact's score: that of its best capability."""
        return self.matches[0].score


@dataclass(frozen=True, slots=True)
class Answer:
    """Hits of one page, and what was counted over all of them."""

    need: Need
    generation: str
    total: int
    types: dict[str, int]
    hits: tuple[Hit, ...]


@dataclass(frozen=True, slots=True)
class Candidates:
    """Capabilities under consideration, by row, with every leg's scores and weight."""

    rows: Rows
    legs: dict[str, Scores]
    weights: dict[str, float]
    factors: dict[str, float]

    @property
    def scores(self) -> Scores:
        """The fused scores, each the sum of the legs' scores times their factors."""
        return fuse(self.legs, self.factors)


class Engine:
    """Answers needs from one generation, by all retrievers together."""

    def __init__(self, generation: Generation, encoder: NeedEncoder) -> None:
        """Answer from `generation`; `encoder` is the one its passages are from."""
        self.generation = generation
        self.catalog = generation.catalog
        self._encoder = encoder
        self.retrievers: Sequence[Retriever] = (
            KeywordRetriever(self.catalog, generation.keyword),
            VectorRetriever(self.catalog, generation.vector, encoder),
            NameRetriever(self.catalog),
        )

    def __enter__(self) -> "Engine":
        """Return itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close its generation."""
        self.generation.close()

    def understand(self, need: Need) -> Need:
        """Return `need` with its misspelt words corrected."""
        corrections = self.generation.spelling.corrections(
            need.text, self._encoder.is_word
        )
        return replace(need, corrections=corrections)

    def candidates(self, need: Need) -> Candidates:
        """Return the capabilities that any retriever proposes, scored by all."""
        proposed = {each.name: each.retrieve(need, DEPTH) for each in self.retrievers}
        rows = np.unique(np.concatenate([each.rows for each in proposed.values()]))
        legs = {each.name: each.score(need, rows) for each in self.retrievers}
        shares = weights(
            {each.name: each.trust(proposed[each.name]) for each in self.retrievers}
        )
        return Candidates(rows, legs, shares, factors(legs, shares))

    def artifacts(self, ordered: Rows) -> NDArray[np.int64]:
        """Return the artifacts of capabilities, each at its best one's place."""
        owners, first = np.unique(self.catalog.owners[ordered], return_index=True)
        return owners[np.argsort(first)]

    def search(self, need: Need, k: int = 10, offset: int = 0) -> Answer:
        """Return hits `offset` + 1 to `offset` + `k` for `need`, best first.

        Ties go by slug. Equal needs on equal generations get equal answers.
        """
        need = self.understand(need)
        found = self.candidates(need)
        ordered = rank(found.rows, found.scores, len(found.rows)).rows
        ranked = self.artifacts(ordered)
        types = Counter(self.catalog.types[ranked].tolist())
        page = ranked[offset : offset + k].tolist()
        return Answer(
            need=need,
            generation=self.generation.id,
            total=len(ranked),
            types=dict(sorted(types.items(), key=lambda each: (-each[1], each[0]))),
            hits=tuple(
                Hit(
                    position,
                    self.catalog.at(owner),
                    tuple(
                        Match(
                            self.catalog.capability(row),
                            self.explain(need, row, found),
                        )
                        for row in ordered[self.catalog.owners[ordered] == owner][
                            :SHOWN_CAPABILITIES
                        ].tolist()
                    ),
                )
                for position, owner in enumerate(page, start=offset + 1)
            ),
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
