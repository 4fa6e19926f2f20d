"""Comparison: how two artifacts differ, and only what the data proves."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Literal

from index.artifact import Artifact, Capability
from index.claims import figures, sentences, stated
from index.keyword import analyse
from search.constraint import Checked
from search.engine import Engine
from search.graph import HeadToHead, MatchGraph, Outcomes
from search.need import Need
from search.rank import Component, Rank, Weightings, ahead

Lead = Literal["a", "b", "tie", "unknown"]

SAME_SCORE = 0.1
"""Share of the better score within which two answer a need alike."""


def flipped(lead: Lead) -> Lead:
    """Return a lead seen from the other side."""
    sides: dict[Lead, Lead] = {"a": "b", "b": "a"}
    return sides.get(lead, lead)


@dataclass(frozen=True, slots=True)
class Row:
    """One feature of both; values are None where nothing is known.

    `ordered` tells whether one value can be better than another: of two types neither
    leads, they differ.
    """

    name: str
    a: Any
    b: Any
    lead: Lead
    ordered: bool = True

    def mirrored(self) -> "Row":
        """Return the row seen from the other side."""
        return replace(self, a=self.b, b=self.a, lead=flipped(self.lead))


@dataclass(frozen=True, slots=True)
class Difference:
    """What two capabilities that do the same state differently in one field."""

    field: str
    a: tuple[str, ...]
    b: tuple[str, ...]

    def mirrored(self) -> "Difference":
        """Return it seen from the other side."""
        return Difference(self.field, self.b, self.a)


@dataclass(frozen=True, slots=True)
class Contradiction:
    """A limitation of one that a sentence of the other denies of itself."""

    limited: Literal["a", "b"]
    limitation: str
    sentence: str

    def mirrored(self) -> "Contradiction":
        """Return it seen from the other side."""
        limited: Literal["a", "b"] = "b" if self.limited == "a" else "a"
        return replace(self, limited=limited)


@dataclass(frozen=True, slots=True)
class Both:
    """Capabilities of both that do the same, at least in part.

    `similarity` is their cosine, `likelihood` how probably readers hold them for that.
    """

    a: Capability
    b: Capability
    similarity: float
    likelihood: float
    differs: tuple[Difference, ...]
    contradictions: tuple[Contradiction, ...]

    def mirrored(self) -> "Both":
        """Return the pair seen from the other side."""
        return replace(
            self,
            a=self.b,
            b=self.a,
            differs=tuple(each.mirrored() for each in self.differs),
            contradictions=tuple(each.mirrored() for each in self.contradictions),
        )


@dataclass(frozen=True, slots=True)
class Claim:
    """What a record says of itself beside the other; uncited if `source` is None."""

    by: str
    about: str
    capability: str
    text: str
    source: str | None


@dataclass(frozen=True, slots=True)
class Answered:
    """How one of the two answers a need: its best capability, its constraints."""

    capability: Capability | None
    score: float
    checked: tuple[Checked, ...]

    @property
    def violated(self) -> tuple[Checked, ...]:
        """The must-haves that it is known to violate."""
        return tuple(
            each
            for each in self.checked
            if each.status == "violated" and each.constraint.mode == "must"
        )


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two artifacts, its rank, and what came of its hits."""

    artifact: Artifact
    rank: Rank
    outcomes: Outcomes
    answered: Answered | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two artifacts side by side; `mirrored` is the same the other way round.

    `ahead` tells for which weightings each rank is ahead, None if that cannot be told;
    `meets` is the lead for the topic of `need`.
    """

    a: Side
    b: Side
    rows: tuple[Row, ...]
    both: tuple[Both, ...]
    only_a: tuple[Capability, ...]
    only_b: tuple[Capability, ...]
    claims: tuple[Claim, ...]
    head_to_head: HeadToHead
    ahead: Weightings | None
    need: Need | None
    meets: Lead
    lead: Lead

    def mirrored(self) -> "Comparison":
        """Return the comparison of b with a."""
        known = self.head_to_head
        return replace(
            self,
            a=self.b,
            b=self.a,
            rows=tuple(each.mirrored() for each in self.rows),
            both=tuple(each.mirrored() for each in self.both),
            only_a=self.only_b,
            only_b=self.only_a,
            head_to_head=HeadToHead(known.b, known.a, known.n),
            ahead=self.ahead
            and Weightings(self.ahead.b, self.ahead.a, self.ahead.components),
            meets=flipped(self.meets),
            lead=flipped(self.lead),
        )

    def row(self, name: str) -> Row:
        """Return the row of a feature; KeyError if there is none."""
        return {each.name: each for each in self.rows}[name]


class Comparer:
    """Compares the artifacts of one engine."""

    def __init__(self, engine: Engine) -> None:
        """Compare what `engine` knows; nothing but a need is encoded."""
        self._engine = engine
        self._catalog = engine.catalog
        self._aligner = engine.aligner

    def compare(
        self, a: str, b: str, graph: MatchGraph, today: date, need: Need | None = None
    ) -> Comparison:
        """Return how the artifacts with slugs `a` and `b` differ, for `need` if given.

        `graph` tells what came of their hits, `today` how old their figures are.
        Raises UnknownArtifactError, and NeedError for a mode that is none.
        """
        if a > b:  # one order for both, so that the two say the same
            return self.compare(b, a, graph, today, need).mirrored()
        places = [self._catalog.position(slug) for slug in (a, b)]
        if need is not None:
            need = self._engine.ranker.understand(need)
        answers = self._answers(need, places) if need else (None, None)
        one, other = (
            self._side(place, graph, today, answered)
            for place, answered in zip(places, answers, strict=True)
        )
        aligned = self._aligner.align(*places)
        capability = self._catalog.capability
        rows = tuple(_rows(one, other, today))
        meets = _meets(one, other)
        return Comparison(
            a=one,
            b=other,
            rows=rows,
            both=tuple(
                _both(capability(e.a), capability(e.b), e.similarity, e.likelihood)
                for e in aligned.both
            ),
            only_a=tuple(map(capability, aligned.only_a)),
            only_b=tuple(map(capability, aligned.only_b)),
            claims=tuple(self._claims(*places)),
            head_to_head=graph.head_to_head(a, b),
            ahead=ahead(one.rank, other.rank),
            need=need,
            meets=meets,
            lead=_for_need(one, other, meets) if need else rows[RANK].lead,
        )

    def _side(
        self, place: int, graph: MatchGraph, today: date, answered: Answered | None
    ) -> Side:
        artifact = self._catalog.at(place)
        came = graph.artifacts.get(artifact.slug) or Outcomes()
        rank = self._engine.ranks(today).of(place, came)
        return Side(artifact, rank, came, answered)

    def _claims(self, *places: int) -> Iterator[Claim]:
        """Yield the sentences in which one sets itself beside the other."""
        for by, about in (places, places[::-1]):
            name = self._catalog.at(about).name
            for row in self._engine.generation.mentions.claims(by, about):
                own = self._catalog.capability(row)
                said = [
                    sentence
                    for text in (own.vs_alternatives, own.unique)
                    for sentence in sentences(text or "")
                    if name in sentence
                ]
                if said:
                    slugs = self._catalog.slugs[by], self._catalog.slugs[about]
                    yield Claim(*slugs, own.id or "", " ".join(said), own.source)

    def _answers(self, need: Need, places: list[int]) -> tuple[Answered, ...]:
        """Return how each answers `need`, scored among all that answer its topic."""
        ranker = self._engine.ranker
        rows = [row for place in places for row in self._aligner.rows(place)]
        bare = replace(need, constraints=(), anchors=())
        scores = ranker.scores(bare, rows) if need.said else dict.fromkeys(rows, 0.0)
        answers = []
        for place in places:
            own = self._aligner.rows(place)
            best = max(own, key=lambda row: (scores[row], -row))
            found = scores[best] > 0 and ranker.is_near(bare, best)
            answers.append(
                Answered(
                    self._catalog.capability(best) if found else None,
                    scores[best] if found else 0.0,
                    ranker.check(need, place),
                )
            )
        return tuple(answers)


RANK = 1
"""Where the row of the rank stands."""


def _rows(a: Side, b: Side, today: date) -> Iterator[Row]:
    """Yield the features of both that can be set side by side."""
    one, other = a.artifact, b.artifact
    yield _plain("type", one.type, other.type)
    yield Row("rank", a.rank, b.rank, _by_intervals(a.rank, b.rank))
    for mine, theirs in zip(a.rank.components, b.rank.components, strict=True):
        yield Row(mine.name, mine, theirs, _by_intervals(mine, theirs))
    prices = [each.pricing.model if each.pricing else None for each in (one, other)]
    yield _plain("price", *prices)
    yield _better("free", _free(one), _free(other))
    yield _plain("license", one.license, other.license)
    yield _better(
        "commercial_use", one.facts.commercial_use, other.facts.commercial_use
    )
    yield _plain("deployment", _set(one.facts.deployment), _set(other.facts.deployment))
    yield _better("offline", one.facts.offline, other.facts.offline)
    yield _plain("inputs", _set(one.facts.inputs), _set(other.facts.inputs))
    yield _plain("outputs", _set(one.facts.outputs), _set(other.facts.outputs))
    for name in ("parameters", "min_memory_gb", "context_tokens"):
        values = [figures(each, today).get(name) for each in (one, other)]
        if any(each is not None for each in values):
            yield _plain(name, *values)
    yield _plain("capabilities", len(one.capabilities), len(other.capabilities))
    shown = [each.outcomes.counts["shown"] for each in (a, b)]
    yield _plain("times_matched", *shown)


def _free(artifact: Artifact) -> bool | None:
    claims = stated(artifact)
    return True if "free=yes" in claims else False if "free=no" in claims else None


def _set(values: Iterable[str] | None) -> tuple[str, ...] | None:
    return None if values is None else tuple(sorted(values))


def _plain(name: str, a: Any, b: Any) -> Row:
    """Return a row of which no side can be better."""
    known = a is not None and b is not None
    return Row(name, a, b, "tie" if known and a == b else "unknown", ordered=False)


def _better(name: str, a: bool | None, b: bool | None) -> Row:
    """Return a row of which yes is better than no."""
    if a is None or b is None:
        return Row(name, a, b, "unknown")
    return Row(name, a, b, "tie" if a == b else "a" if a else "b")


def _by_intervals(a: Rank | Component, b: Rank | Component) -> Lead:
    """Return who leads; a tie where the intervals overlap."""
    if a.interval is None or b.interval is None:
        return "unknown"
    if a.interval[0] > b.interval[1]:
        return "a"
    return "b" if b.interval[0] > a.interval[1] else "tie"


def _both(a: Capability, b: Capability, similarity: float, likelihood: float) -> Both:
    differs = []
    for field in ("inputs", "outputs", "requires", "limitations"):
        mine, other = getattr(a, field), getattr(b, field)
        left = tuple(each for each in mine if each not in other)
        right = tuple(each for each in other if each not in mine)
        if left or right:
            differs.append(Difference(field, left, right))
    contradictions = [
        *_denied(a, b, "a"),
        *_denied(b, a, "b"),
    ]
    return Both(a, b, similarity, likelihood, tuple(differs), tuple(contradictions))


_LACKS = re.compile(
    r"(?i)^(?:there (?:is|are) )?(?:no|not|cannot|can ?not|without|lacks?|does not|"
    r"do not|never|unsupported:?)\s+(?P<what>.+)$"
)
_NEGATES = re.compile(r"(?i)\b(no|not|never|without|cannot|lacks?|nor|neither|un\w+)\b")

LONG = 5
"""Terms from which on a limitation says too much to be denied by one sentence."""


def _denied(
    limited: Capability, other: Capability, side: Literal["a", "b"]
) -> Iterator[Contradiction]:
    """Yield the limitations of one that a sentence of the other says not to have.

    "No batching" is denied by a sentence with all its terms that negates nothing.
    """
    for limitation in limited.limitations:
        lacking = _LACKS.match(limitation.rstrip("."))
        terms = set(analyse(lacking["what"])) if lacking else set()
        if not 0 < len(terms) < LONG:
            continue
        for sentence in sentences(other.description):
            if terms <= set(analyse(sentence)) and not _NEGATES.search(sentence):
                yield Contradiction(side, limitation, sentence)
                break


def _meets(a: Side, b: Side) -> Lead:
    """Return who answers the topic of the need better, if it is clear."""
    if a.answered is None or b.answered is None:
        return "unknown"
    mine, other = a.answered.score, b.answered.score
    if max(mine, other) <= 0:
        return "unknown"
    if abs(mine - other) <= SAME_SCORE * max(mine, other):
        return "tie"
    return "a" if mine > other else "b"


def _for_need(a: Side, b: Side, meets: Lead) -> Lead:
    """Return who meets the need: by its must-haves first, then by its topic.

    Where only one is known to violate one, the other leads. Where a must-have is
    unknown of one alone, the topic proves nothing against the other.
    """
    assert a.answered is not None and b.answered is not None
    broken = bool(a.answered.violated), bool(b.answered.violated)
    if all(broken):
        return "tie"
    if any(broken):
        return "b" if broken[0] else "a"
    doubts = [
        sum(
            each.status == "unknown" and each.constraint.mode == "must"
            for each in side.answered.checked
        )
        for side in (a, b)
        if side.answered
    ]
    if doubts[0] == doubts[1]:
        return meets
    certain: Lead = "a" if doubts[0] < doubts[1] else "b"
    return certain if meets in (certain, "tie") else "unknown"
