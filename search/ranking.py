"""From a need to ranked artifacts: retrieve, score, fuse, take each one's best."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from index.adapter import Adapter
from index.claims import SATISFIED, VIOLATED
from index.encoder import NeedEncoder
from index.errors import EncoderError
from index.generation import Generation
from index.hits import Rows, Scores, firsts, rank
from index.keyword import analyse
from search.confidence import Evidence
from search.constraint import (
    STATUSES,
    Checked,
    Constraint,
    Kinds,
    is_kind,
    kinds,
    particular,
    prove,
)
from search.deadline import TimelyEncoder
from search.explanation import Explanation
from search.fusion import factors, fuse, weights
from search.memory import Memory, Told
from search.names import Names
from search.need import Anchor, Need
from search.reading import Reader
from search.retriever import Legs, Retriever
from search.scatter import Shards, scattered
from search.stopwatch import timed

DOUBT, WISH = (0.0, 0.4, 1.0), (0.0, 0.02, 0.04)
"""Share of its score that a capability loses by a constraint satisfied, unknown or
violated: unknown ranks below satisfied of like relevance, not below the irrelevant."""

BESIDE = 0.4
"""What is left of the votes of past needs beside an adapter that learned from the same
needs: both at full strength cost artifacts without a past twice."""

REMEMBERED = 2048
"""Capabilities of which it is remembered what they are: a need may exclude many things,
each looked for in all that is found."""

DEPTH = 500
"""Capabilities each leg proposes. Any of them gets the score of every leg, so a deeper
list changes only what neither leg puts among its first 500."""


Said = TypeVar("Said", Constraint, Anchor)


@dataclass(frozen=True, slots=True)
class Candidates:
    """Capabilities under consideration, by row, with every leg's scores and weight.

    `scores` are fused: each the sum of the legs' scores times their factors, less what
    is in doubt, and what past needs add or take, `learned`.
    """

    rows: Rows
    legs: dict[str, Scores]
    weights: dict[str, float]
    factors: dict[str, float]
    learned: Scores
    scores: Scores

    def score(self, rows: Rows) -> Scores:
        """Return the fused scores of some of the rows."""
        scores: Scores = self.scores[np.searchsorted(self.rows, rows)]
        return scores


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

    def __init__(
        self,
        generation: Generation,
        encoder: NeedEncoder,
        shards: Shards | None = None,
    ) -> None:
        """Rank `generation`; `encoder` is the one its passages are from.

        With `shards` of it, these look for what may be meant.
        """
        self._generation = generation
        self._encoder = encoder = TimelyEncoder(encoder)
        self.catalog = catalog = generation.catalog
        claims, has_term = generation.claims, generation.keyword.has_term
        names = Names(catalog, claims, encoder.is_word, has_term)
        self._reader = Reader(catalog, claims, names)
        self.memory = Memory(catalog, encoder.encode_need)
        self._kinds = lru_cache(maxsize=REMEMBERED)(self._kinds_of)
        if shards is None:
            legs = Legs.of(generation, encoder)
        else:
            legs = scattered(generation, encoder, shards)
        self._vectors = legs.vector
        self.retrievers: Sequence[Retriever] = legs

    @property
    def adapter(self) -> Adapter | None:
        """What moves needs towards what worked before; None if nothing does."""
        return self._vectors.adapter

    @adapter.setter
    def adapter(self, adapter: Adapter | None) -> None:
        self._vectors.adapter = adapter

    def forget(self) -> None:
        """Rank as if there were no log."""
        self.memory.forget()
        self.adapter = None

    def corrected(self, need: Need) -> Need:
        """Return `need` with misspelt words corrected, and nothing else read."""
        corrections = self._generation.spelling.corrections(
            need.text,
            lambda word: self._encoder.is_word(word) or self._reader.knows(word),
        )
        need = replace(need, corrections=corrections)
        return replace(need, topic=need.corrected, sought=need.corrected)

    def understand(self, need: Need, *, constraints: bool = True) -> Need:
        """Return `need` corrected, its constraints read and its meaning encoded.

        Without `constraints`, all of it is topic. A meaning that cannot be had makes
        it a degraded one. Raises NeedError if a mode is asked for something that is no
        constraint.
        """
        with timed("reading"):
            need = self.corrected(need)
            if constraints:
                need = self._read(need)
        try:
            with timed("encoding"):
                self._vectors.vector(need)  # which is remembered for all that follows
        except EncoderError as error:
            return replace(need, degraded=str(error))
        return need

    def _read(self, need: Need) -> Need:
        reading = self._reader.read(need.corrected, need.modes)
        return replace(
            need,
            topic=reading.topic,
            sought=reading.sought,
            constraints=tuple(_placed(each, need) for each in reading.constraints),
            anchors=tuple(_placed(each, need) for each in reading.anchors),
        )

    def begins_word(self, text: str) -> bool:
        """Return whether the last word of `text` may be an unfinished one."""
        return self._generation.spelling.begins_word(text)

    def allowed(self, need: Need) -> NDArray[np.bool_]:
        """Return which artifacts no must-have or exclusion of `need` forbids."""
        allowed = np.ones(len(self.catalog), dtype=np.bool_)
        for _, forbidden in self.broken(need):
            allowed &= ~forbidden
        for anchor in need.anchors:
            allowed[list(anchor.itself)] = False
        return allowed

    def broken(self, need: Need) -> list[tuple[Constraint, NDArray[np.bool_]]]:
        """Return each must-have of `need` with the artifacts known to violate it."""
        return [
            (each, each.check(self._generation.claims) == VIOLATED)
            for each in need.active
            if each.mode == "must" and each.name != "topic"
        ]

    def scores(self, need: Need, rows: Sequence[int]) -> dict[int, float]:
        """Return the scores of `rows` for `need`, as if all had been proposed."""
        found = self.candidates(need, rows)
        return dict(zip(rows, found.score(np.array(rows)).tolist(), strict=True))

    def is_near(self, need: Need, row: int) -> bool:
        """Return whether capability `row` is as near as what this catalogue answers.

        Or says a word of the need; true for a catalogue that cannot tell what is near.
        """
        floor = self._generation.floor
        rows = np.array([row])
        return (
            floor is None
            or float(self._vectors.closeness(need, rows)[0]) >= floor
            or any(
                self._generation.keyword.impact(term, row)
                for term in analyse(need.sought)
            )
        )

    def candidates(self, need: Need, also: Sequence[int] = ()) -> Candidates:
        """Return the capabilities that any retriever proposes, scored by all.

        Those of `also` are under consideration whoever proposes them.
        """
        allowed = self.allowed(need)
        among = None if allowed.all() else allowed[self.catalog.owners]
        found = [np.array(also, dtype=np.int64)]
        for each in self.retrievers:
            with timed(each.name):
                found.append(each.propose(need, DEPTH, among))
        rows = np.unique(np.concatenate(found))
        rows = rows[~self._denied(need, rows)]
        legs: dict[str, Scores] = {}
        trust: dict[str, float] = {}
        for each in self.retrievers:
            with timed(each.name):
                legs[each.name] = each.score(need, rows)
                trust[each.name] = each.trust(need, rows, legs[each.name])
        with timed("fusion"):
            shares = weights(trust)
            by = factors(legs, shares)
            scores = fuse(legs, by) * (1 - self.doubts(need, self.catalog.owners[rows]))
        with timed("past"):
            learned = self._lifts(need, rows, scores)
        return Candidates(rows, legs, shares, by, learned, scores + learned)

    def _lifts(self, need: Need, rows: Rows, scores: Scores) -> Scores:
        """Return what the past adds to each of `rows`, alike for one artifact's."""
        lifts = np.zeros(len(self.catalog))
        if self.memory.knows and len(rows) and not need.degraded:
            ordered = rank(rows, scores, len(rows)).rows
            owners = self.catalog.owners[ordered]
            artifacts = owners[firsts(owners)]
            lift = self.memory.lift(self._vectors.vector(need), artifacts)
            lifts[artifacts] = lift * scores.max() * (BESIDE if self.adapter else 1)
        return lifts[self.catalog.owners[rows]]

    def doubts(self, need: Need, artifacts: NDArray[np.int64]) -> Scores:
        """Return the share of its score that each of `artifacts` loses, in [0, 1).

        It is the mean over the constraints of DOUBT for a must-have that is not known
        to be met, of WISH for a wish, and of half of that where it is unknown.
        """
        doubts = np.zeros(len(artifacts))
        for each, losses in self._losses(need):
            doubts += losses[1 - each.check(self._generation.claims)[artifacts]]
        return doubts

    def _losses(self, need: Need) -> list[tuple[Constraint, Scores]]:
        """Return what each constraint costs: satisfied, unknown, violated."""
        checked = [each for each in need.active if each.name != "topic"]
        share = 1 / max(len(checked), 1)
        return [
            (each, share * np.array(DOUBT if each.mode == "must" else WISH))
            for each in checked
        ]

    def _denied(self, need: Need, rows: Rows) -> NDArray[np.bool_]:
        """Return which of `rows` are what a topic that `need` excludes says."""
        denied = np.zeros(len(rows), dtype=np.bool_)
        for each in need.active:
            if each.name == "topic" and each.mode == "must":
                terms = analyse(each.value)
                wanted = particular(terms)
                said = [self._generation.keyword.has(term, rows) for term in terms]
                for place in np.flatnonzero(np.all(said, axis=0)):
                    denied[place] |= is_kind(wanted, self._kinds(int(rows[place])))
        return denied

    def _kinds_of(self, row: int) -> Kinds:
        artifact = self.catalog.at(int(self.catalog.owners[row]))
        return kinds(artifact, self.catalog.capability(row))

    def rank(self, need: Need) -> Ranked:
        """Return the artifacts for `need`, best first, ties by slug."""
        return self.order(self.understand(need))

    def order(self, need: Need) -> Ranked:
        """Return the artifacts for a need that is understood, best first."""
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

    def told(self, need: Need) -> dict[int, Told]:
        """Return what was told for needs like `need`, of each artifact by position."""
        if not self.memory.knows or need.degraded:
            return {}
        return self.memory.told(self._vectors.vector(need))

    def check(self, need: Need, position: int) -> tuple[Checked, ...]:
        """Return what is known of each constraint of `need` for one artifact."""
        artifact = self.catalog.at(position)
        claims = self._generation.claims
        return tuple(
            Checked(each, "satisfied")
            if each.name == "topic"
            else prove(each, int(each.check(claims)[position]), artifact)
            for each in need.active
        )

    def _evidence(
        self, need: Need, found: Candidates, places: NDArray[np.int64]
    ) -> Evidence:
        index = self._generation.keyword
        by_words = found.legs["keyword"][places]
        near = found.legs["vector"][places]
        if self.adapter:
            near = self._vectors.closeness(need, found.rows[places])
        ceiling = index.ceiling(analyse(need.sought))
        return Evidence(
            # What does what an anchor does is near to the need, whatever its words.
            closeness=np.maximum(near, found.legs["anchor"][places]),
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
                leg=each.name,
            )
            for each in self.retrievers
            if among.weights[each.name] > 0
        )
        total = Explanation.total("score", parts).value
        owner = int(self.catalog.owners[row])
        doubts = tuple(
            Explanation(-total * loss, f"{each.key} is {STATUSES[status]}")
            for each, losses in self._losses(need)
            if (status := int(each.check(self._generation.claims)[owner])) != SATISFIED
            and (loss := float(losses[1 - status]))
        )
        if doubts:
            parts = (*parts, Explanation.total("constraints in doubt", doubts))
        if learned := float(among.learned[np.searchsorted(among.rows, row)]):
            text = "what came of needs like this"
            parts = (*parts, Explanation(learned, text, leg="past"))
        return Explanation.total("score", parts)


def _placed(said: Said, need: Need) -> Said:
    """Return a constraint or anchor with its span in the text as it was typed."""
    start, end = need.place(said.start), need.place(said.end)
    return replace(said, start=start, end=end, text=need.text[start:end])
