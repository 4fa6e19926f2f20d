"""What the API answers: a model for each object, for the document and the tests.

What is always there has no default, and may be null where it can be unknown. What has
the default None may be left out, and is never null.
"""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel
from pydantic.alias_generators import to_camel

from index.artifact import Type
from search.constraint import Mode, Status

Lead = Literal["a", "b", "tie", "unknown"]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]


class Shape(BaseModel):
    """An object of an answer."""

    model_config = ConfigDict(alias_generator=to_camel)


class Problem(Shape):
    """An error, after RFC 9457; `detail` says what happened and what to do."""

    type: str
    status: int
    title: str
    detail: str


class Interval(Shape):
    """A value with its 90 % interval."""

    value: float
    low: float
    high: float


class Pricing(Shape):
    """What an artifact costs; what is unknown is left out."""

    model: Literal["open_source", "free", "freemium", "paid"] | None = None
    free: bool | None = None
    starting_price: str | None = None


class ArtifactSummary(Shape):
    """An artifact as a hit shows it; what is unknown is null."""

    slug: str
    name: str
    type: Type
    url: str | None
    provider: str | None
    summary: str | None
    license: str | None
    pricing: Pricing | None
    rank: Interval | None
    page_url: str


class Correction(Shape):
    """A word that was read as another one."""

    text: str
    start: Count
    end: Count
    read_as: str


class Constraint(Shape):
    """A condition that was read or given; its key flips its mode in a request."""

    key: str
    name: str
    value: str
    mode: Mode
    text: str
    start: int
    end: int


class Anchor(Shape):
    """What a need compares with, and the artifacts that this may mean."""

    name: str
    slugs: list[str]
    text: str
    start: Count
    end: Count


class Need(Shape):
    """What was understood of a need."""

    topic: str
    types: list[Type]
    corrections: list[Correction]
    constraints: list[Constraint]
    exclusions: list[Constraint]
    anchors: list[Anchor]


class Evidence(Shape):
    """What proves a constraint's status: a fact or a sentence, and where it stands."""

    field: str
    text: str
    source: str | None
    as_of: str | None


class Checked(Shape):
    """Whether a constraint is met."""

    key: str
    name: str
    value: str
    mode: Mode
    status: Status
    evidence: Evidence | None


class Highlight(Shape):
    """Where words of the need are in a text, as [start, end] of each."""

    field: str
    text: str
    spans: list[Annotated[list[int], Field(min_length=2, max_length=2)]]


class MatchedCapability(Shape):
    """A capability that matched."""

    id: str
    name: str
    description: str
    match_score: float
    highlights: list[Highlight]


class Explanation(Shape):
    """A part of a score; the leaves below it add up to its value."""

    value: float
    text: str
    parts: list["Explanation"] | None = None


class Hit(Shape):
    """An artifact for a need; `explanation` is there if it was asked for."""

    position: Annotated[int, Field(ge=1)]
    artifact: ArtifactSummary
    score: float
    confidence: Share | None
    capabilities: list[MatchedCapability]
    constraints: list[Checked]
    why: list[str]
    explanation: Explanation | None = None


class Nearest(Hit):
    """The nearest miss where nothing fits, with the need's words that it lacks."""

    lacks: list[str]


class Hidden(Constraint):
    """How many artifacts a must-have keeps out."""

    count: Count


class Facets(Shape):
    """How many artifacts match by what they are, kept to the other facets' filters."""

    type: dict[str, Count]
    deployment: dict[str, Count]
    pricing: dict[str, Count]
    license: dict[str, Count]
    provider: dict[str, Count]


class Degradable(Shape):
    """`degraded` where words alone answered a need, and the sentence that says why."""

    degraded: Literal[True] | None = None
    degraded_why: str | None = None


class SearchAnswer(Degradable):
    """Artifacts whose capabilities meet a need; `matchId` is null if none is logged."""

    query: str
    need: Need
    match_id: str | None
    total: Count
    facets: Facets
    matches: list[Hit]
    nearest: Nearest | None
    hidden: list[Hidden]
    generation: str
    took_ms: float


class CapabilityName(Shape):
    """A capability by name."""

    id: str
    name: str


class ResolvedCapability(CapabilityName):
    """The capability that a need is resolved to."""

    description: str


class Spare(Shape):
    """What would do instead, and why."""

    slug: str
    name: str
    why_alternative: str


class Resolved(Shape):
    """An artifact that meets an intent; confidence is null without a calibration."""

    artifact: ArtifactSummary
    capability: ResolvedCapability
    why_this_matches: str
    alternatives: list[Spare]
    match_confidence: Share | None


class ResolveAnswer(Degradable):
    """What an intent comes down to; `resolveId` is the match id for feedback."""

    intent: str
    resolved: list[Resolved]
    resolve_id: str | None
    resolved_at: datetime
    generation: str


class Listing(Shape):
    """A page of artifacts; `nextCursor` asks for the next one, null at the end."""

    artifacts: list[ArtifactSummary]
    next_cursor: str | None
    generation: str


class Capability(Shape):
    """A capability with all that its record says; what is unknown is left out."""

    id: str
    name: str
    description: str
    unique: str | None = None
    vs_alternatives: str | None = None
    intents: list[str] | None = None
    best_for: list[str] | None = None
    limitations: list[str] | None = None
    requires: list[str] | None = None
    inputs: list[str] | None = None
    outputs: list[str] | None = None
    source: str | None = None


class Origin(Shape):
    """What was observed, where, and the day it was read there."""

    text: str
    url: str | None
    as_of: str | None


class Component(Shape):
    """A part of a rank from `n` observations; `adds` is its share of the rank."""

    name: str
    value: float | None
    low: float | None
    high: float | None
    n: float
    weight: Share
    adds: float | None
    sources: list[Origin]


class Rank(Shape):
    """A rank, 0 to 100, with all its components; null where nothing is known."""

    value: float | None
    low: float | None
    high: float | None
    version: str
    components: list[Component]


class Success(Shape):
    """How often it worked, with its 90 % interval, of `n` outcomes by their age."""

    value: Share
    low: Share
    high: Share
    n: float


class Outcomes(Shape):
    """How often each thing became of an artifact's hits."""

    shown: Count
    chosen: Count
    compared: Count
    worked: Count
    failed: Count
    dismissed: Count
    success: Success | None


class Facts(Shape):
    """Statements that constraints are checked against; further ones may be there."""

    model_config = ConfigDict(extra="allow")

    deployment: list[str] | None = None
    offline: bool | None = None
    commercial_use: bool | None = None
    inputs: list[str] | None = None
    outputs: list[str] | None = None
    languages: list[str] | None = None
    parameters: float | None = None
    min_memory_gb: float | None = None


class Proof(Shape):
    """Where a fact stands, and the day it was read there."""

    source: str
    as_of: str | None = None


class Signal(Shape):
    """A figure such as stars or downloads."""

    name: str
    value: float
    as_of: str | None = None
    source: str | None = None


class ArtifactAnswer(Shape):
    """Everything known of one artifact; what is unknown is left out."""

    slug: str
    name: str
    type: Type
    capabilities: list[Capability]
    provider: str | None = None
    summary: str | None = None
    url: str | None = None
    repository: str | None = None
    license: str | None = None
    family: str | None = None
    pricing: Pricing | None = None
    categories: list[str] | None = None
    tags: list[str] | None = None
    updated_at: str | None = None
    signals: list[Signal] | None = None
    sources: list[str] | None = None
    facts: Facts
    evidence: dict[str, Proof]
    rank: Rank
    outcomes: Outcomes
    page_url: str


class Kept(Shape):
    """A capability of the replaced artifact, and the one that does it here."""

    from_: Annotated[str, Field(alias="from")]
    from_id: str
    to: str
    to_id: str


class ArtifactName(Shape):
    """An artifact by name."""

    slug: str
    name: str


class Alternative(Shape):
    """What to use instead, and what that keeps, loses and gains."""

    artifact: ArtifactSummary
    score: float
    parts: dict[str, float]
    kept: list[Kept]
    lost: list[CapabilityName]
    gained: list[CapabilityName]
    constraints: list[Checked]
    why: list[str]
    variants: list[ArtifactName]
    compare_url: str


class AlternativesAnswer(Degradable):
    """What to use instead of an artifact; need and query are null if none was given."""

    artifact: ArtifactSummary
    need: Need | None
    query: str | None
    alternatives: list[Alternative]
    generation: str


class Compared(ArtifactSummary):
    """One of two artifacts, its rank in full."""

    rank: Rank  # type: ignore[assignment]  # in place of the interval alone


class Row(Shape):
    """One feature of both; of what is not `ordered` neither value is better."""

    name: str
    a: Any
    b: Any
    lead: Lead
    ordered: bool


class Difference(Shape):
    """What two capabilities that do the same state differently."""

    field: str
    a: list[str]
    b: list[str]


class Contradiction(Shape):
    """A limit of one that a sentence of the other denies of itself."""

    limited: Literal["a", "b"]
    limitation: str
    sentence: str


class Both(Shape):
    """Capabilities of both that do the same, at least in part."""

    a: Capability
    b: Capability
    similarity: float
    likelihood: float
    differs: list[Difference]
    contradictions: list[Contradiction]


class Aligned(Shape):
    """The capabilities of both, and of one alone."""

    both: list[Both]
    only_a: list[Capability]
    only_b: list[Capability]


class Verdict(Shape):
    """What the rows prove."""

    lead: Lead
    sentences: list[str]


class HeadToHead(Shape):
    """Of `n` needs that both were shown for, how many each did better for."""

    a: Count
    b: Count
    n: Count


class Claim(Shape):
    """What a record says of itself beside the other; uncited if `source` is null."""

    by: str
    about: str
    capability: str
    text: str
    source: str | None


class Weightings(Shape):
    """The shares of all weightings of `components` for which each is ahead."""

    a: Share
    b: Share
    components: Count


class ComparisonEvidence(Shape):
    """What a verdict rests on beside its rows."""

    head_to_head: HeadToHead
    claims: list[Claim]
    weightings: Weightings | None


class Further(Shape):
    """The search for something different from both."""

    query: str
    must: list[str]
    url: str


class ComparisonAnswer(Degradable):
    """Two artifacts side by side; need and query are null if none was given."""

    a: Compared
    b: Compared
    need: Need | None
    query: str | None
    rows: list[Row]
    capabilities: Aligned
    verdict: Verdict
    evidence: ComparisonEvidence
    next: Further
    generation: str


class FeedbackAnswer(Shape):
    """The event that was logged."""

    event_id: str


class Completion(Shape):
    """A text that continues what was typed; `slug` if it is an artifact's name."""

    text: str
    slug: str | None


class SuggestAnswer(Shape):
    """What somebody who is still typing may mean."""

    query: str
    completions: list[Completion]
    did_you_mean: str | None


class Unmet(Shape):
    """A need that nothing met, and how many matches asked it."""

    need: str
    matches: Count


class StatsAnswer(Shape):
    """What is counted: the catalogue, the matches, what came of them."""

    artifacts: Count
    capabilities: Count
    matches: Count
    needs: Count
    outcomes: dict[str, Count]
    unmet: list[Unmet]
    generation: str


class Record(RootModel[dict[str, Any]]):
    """One artifact as a line of a catalogue has it, in snake case."""


class ValidateAnswer(Shape):
    """All that is wrong with a record, and what is thin: `field: what is wrong`."""

    errors: list[str]
    warnings: list[str]


class HealthAnswer(Shape):
    """That the process lives."""

    status: Literal["ok"]


class ReadyAnswer(Shape):
    """The generation that answers."""

    status: Literal["ready"]
    generation: str
