"""The engine: one open generation answering needs."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

import numpy as np
from numpy.typing import NDArray

from index.artifact import Artifact, Capability
from index.encoder import NeedEncoder
from index.generation import Generation
from index.hits import Scores
from index.keyword import analyse
from search.alignment import Aligner
from search.confidence import Calibration
from search.constraint import Checked, Constraint
from search.explanation import Explanation
from search.exploration import explored
from search.facets import Facets
from search.graph import need_key
from search.memory import Told
from search.need import Need
from search.rank import Ranks
from search.ranking import Ranked, Ranker
from search.scatter import Shards
from search.stopwatch import timed
from search.suggestion import Suggestion, suggest

SHOWN_CAPABILITIES = 3
"""Capabilities named with a hit: the one that matched, and the next best."""


@dataclass(frozen=True, slots=True)
class Match:
    """A capability that meets a need, with its score."""

    capability: Capability
    score: float


@dataclass(frozen=True, slots=True)
class Hit:
    """An artifact for a need, at a position from 1, its best capability first.

    `explanation` is that of its score, the best capability's; `confidence` is the
    probability that the hit is right, None for an encoder that nothing was calibrated
    for and for a degraded need; `checked` tells of each constraint whether it is met,
    and what proves it; `told` what those said of it who needed something like this;
    `probability` is that of showing it at its position, below 1 where the engine
    explores.
    """

    position: int
    artifact: Artifact
    matches: tuple[Match, ...]
    explanation: Explanation
    confidence: float | None
    checked: tuple[Checked, ...]
    told: Told | None
    probability: float

    @property
    def score(self) -> float:
        """The artifact's score: the sum of its explanation's leaves."""
        return self.explanation.value


@dataclass(frozen=True, slots=True)
class Hidden:
    """How many artifacts would be hits but for one must-have, which they violate."""

    constraint: Constraint
    count: int


@dataclass(frozen=True, slots=True)
class Answer:
    """Hits of one page, and what was counted over all that are good enough.

    `facets` has for each facet how many artifacts have each value, with what the need
    keeps to in the other facets. `nearest` is the best of those that are not good
    enough, where none is, and `lacks` the need's words that its best capability does
    not have; `hidden` counts those that a must-have keeps out.
    """

    need: Need
    generation: str
    total: int
    facets: dict[str, dict[str, int]]
    hits: tuple[Hit, ...]
    nearest: Hit | None
    lacks: tuple[str, ...]
    hidden: tuple[Hidden, ...]


class Engine:
    """Answers needs from one generation, each hit explained."""

    def __init__(
        self,
        generation: Generation,
        encoder: NeedEncoder,
        calibration: Calibration | None = None,
        explore: float = 0.0,
        shards: Shards | None = None,
    ) -> None:
        """Answer from `generation`; `encoder` is the one its passages are from.

        Without `calibration`, the shipped one is used if it is for the same encoder.
        `explore` is the share of needs, by day, whose tenth hit is one from further
        down. With `shards` of the generation, these look for what may be meant.
        """
        self.explore = explore
        self.generation = generation
        self.catalog = generation.catalog
        self.ranker = Ranker(generation, encoder, shards)
        self._ranks: Ranks | None = None
        self.aligner = Aligner(generation)
        self.facets = Facets(generation.claims)
        calibration = calibration or Calibration.shipped()
        fitting = calibration.encoder == generation.manifest.encoder["digest"]
        self._calibration = calibration if fitting else None

    def __enter__(self) -> "Engine":
        """Return itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close its generation."""
        self.generation.close()

    def search(self, need: Need, k: int = 10, offset: int = 0) -> Answer:
        """Return hits `offset` + 1 to `offset` + `k` for `need`, best first.

        Ties go by slug. Equal needs on equal generations get equal answers, on the same
        day if the engine explores.
        """
        ranked = self.ranker.rank(need)
        likely, places = self._judged(ranked)
        matching = ranked.artifacts[places]
        kept = self.facets.kept(need.facets)
        places = places[kept[matching]]
        seed = f"{datetime.now(UTC).date()} {self.generation.id} {need_key(need.text)}"
        order = explored(places.tolist(), self.explore, seed)
        page = enumerate(order[offset : offset + k], start=offset + 1)
        told = self.ranker.told(ranked.need)
        with timed("explanation"):
            hits = tuple(
                self._hit(ranked, likely, told, *shown, position)
                for position, shown in page
            )
        near = np.flatnonzero(kept[ranked.artifacts])[: 0 if len(places) else 1]
        missed = [self._hit(ranked, likely, told, int(each), 1.0, 1) for each in near]
        lacks = [self._lacks(ranked, int(each)) for each in near]
        return Answer(
            need=ranked.need,
            generation=self.generation.id,
            total=len(places),
            facets=self.facets.counted(matching, need.facets),
            hits=hits,
            nearest=missed[0] if missed else None,
            lacks=lacks[0] if lacks else (),
            hidden=self._hidden(ranked.need, kept),
        )

    def _hidden(self, need: Need, kept: NDArray[np.bool_]) -> tuple[Hidden, ...]:
        """Return what of `kept` must-haves keep out, each counted for its first."""
        broken = [each for each in self.ranker.broken(need) if each[1].any()]
        if not broken:
            return ()
        ranked = self.ranker.order(replace(need, constraints=()))
        _, places = self._judged(ranked)
        left = np.zeros(len(self.catalog), dtype=np.bool_)
        left[ranked.artifacts[places]] = True
        left &= kept
        hidden = []
        for constraint, forbidden in broken:
            count = int((left & forbidden).sum())
            left &= ~forbidden
            if count:
                hidden.append(Hidden(constraint, count))
        return tuple(hidden)

    def ranks(self, today: date) -> Ranks:
        """Return the ranks of the artifacts on the day `today`, made once a day."""
        if self._ranks is None or self._ranks.today != today:
            self._ranks = Ranks(self.generation, today)
        return self._ranks

    def suggest(self, text: str) -> Suggestion:
        """Return completions of `text`, and what was probably meant."""
        return suggest(self.generation, self.ranker, text)

    def _judged(self, ranked: Ranked) -> tuple[Scores | None, NDArray[np.int64]]:
        """Return each artifact's confidence, and the places that are to be shown."""
        if self._calibration is None or ranked.need.degraded:
            return None, np.arange(len(ranked.artifacts))
        shown = self._calibration.shown(ranked.evidence, self.generation.floor)
        return self._calibration.confidence(ranked.evidence), np.flatnonzero(shown)

    def _hit(
        self,
        ranked: Ranked,
        likely: Scores | None,
        told: Mapping[int, Told],
        place: int,
        probability: float,
        position: int,
    ) -> Hit:
        owner = int(ranked.artifacts[place])
        own = ranked.rows[self.catalog.owners[ranked.rows] == owner]
        own = own[:SHOWN_CAPABILITIES]
        explanation = self.ranker.explain(ranked.need, int(own[0]), ranked.candidates)
        scores = [explanation.value, *ranked.candidates.score(own[1:]).tolist()]
        matches = tuple(
            Match(self.catalog.capability(row), score)
            for row, score in zip(own.tolist(), scores, strict=True)
        )
        return Hit(
            position,
            self.catalog.at(owner),
            matches,
            explanation,
            None if likely is None else float(likely[place]),
            self.ranker.check(ranked.need, owner),
            told.get(owner),
            probability,
        )

    def _lacks(self, ranked: Ranked, place: int) -> tuple[str, ...]:
        """Return the words of the topic that an artifact's best does not have."""
        own = self.catalog.owners[ranked.rows] == ranked.artifacts[place]
        impact, best = self.generation.keyword.impact, int(ranked.rows[own][0])
        return tuple(
            word
            for word in ranked.need.topic.split()
            if (terms := analyse(word))
            and not any(impact(each, best) for each in terms)
        )
