import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.builder import build
from index.errors import UnknownArtifactError
from index.events import MatchEvent
from index.home import Home
from search.comparison import Comparer, Comparison, Row
from search.engine import Engine
from search.graph import MatchGraph
from search.need import Need
from search.rank import Component
from search.verdict import verdict
from tests.conftest import HashingEncoder, to_catalog

TODAY = date(2026, 11, 21)
NOW = datetime(2026, 11, 20, tzinfo=UTC)
NOTHING = MatchGraph()

TEXTS = [
    ("Transcribe speech", "Turns speech into text in batches."),
    ("Draw pictures", "Draws pictures from prompts."),
    ("Query tables", "Answers questions about tables by SQL."),
    ("Clone voices", "Speaks in a cloned voice."),
    ("Serve models", "Serves models by HTTP."),
]

capability = st.builds(
    lambda text, limits, takes: {
        "name": text[0],
        "description": text[1],
        "limitations": limits,
        "inputs": takes,
    },
    st.sampled_from(TEXTS),
    st.lists(st.sampled_from(["no batches", "no SQL", "slow"]), max_size=2),
    st.lists(st.sampled_from(["text", "audio"]), max_size=2, unique=True),
)


def artifact(slug: str) -> st.SearchStrategy[dict[str, Any]]:
    unknown = st.none()
    signals = st.builds(
        lambda value, day: [
            {
                "name": "github_stars",
                "value": value,
                "as_of": day.isoformat(),
                "source": "https://example.org",
            }
        ],
        st.integers(0, 10**6),
        st.dates(date(2024, 1, 1), TODAY),
    )
    optional = {
        "license": st.sampled_from(["MIT", "GPL-3.0-only", "LicenseRef-Own"]),
        "updated_at": st.dates(date(2020, 1, 1), TODAY).map(date.isoformat),
        "signals": signals,
        "sources": st.just(["https://docs.example.org"]),
        "pricing": st.sampled_from(
            [{"model": "paid", "free": False}, {"model": "open_source"}, {}]
        ),
        "facts": st.fixed_dictionaries(
            {},
            optional={
                "deployment": st.lists(
                    st.sampled_from(["edge", "cloud_api", "self_hosted"]), unique=True
                ),
                "offline": st.booleans(),
                "commercial_use": st.booleans(),
                "inputs": st.lists(st.sampled_from(["text", "image"]), unique=True),
                "parameters": st.floats(1e6, 1e12),
            },
        ),
    }
    fixed = {
        "slug": st.just(slug),
        "name": st.just(slug.title()),
        "type": st.sampled_from(["model", "cli"]),
        "capabilities": st.lists(capability, min_size=1, max_size=4),
    }
    present = {name: st.one_of(unknown, each) for name, each in optional.items()}
    return st.fixed_dictionaries(fixed | present).map(
        lambda found: {name: each for name, each in found.items() if each is not None}
    )


outcomes = st.lists(
    st.tuples(
        st.sampled_from(["alpha", "beta"]),
        st.sampled_from(["worked", "failed", "chosen"]),
        st.sampled_from(["draw", "speech", "tables"]),
    ),
    max_size=30,
)


Told = tuple[str, Any, str]
"""A slug, what became of it, and for which need."""


def graph(told: list[Told]) -> MatchGraph:
    return MatchGraph(
        MatchEvent(str(number), need, outcome, NOW, slug, source=str(number))
        for number, (slug, outcome, need) in enumerate(told)
    )


def side(compared: Comparison, name: str) -> str:
    return "a" if compared.a.artifact.name == name else "b"


def supported(compared: Comparison, sentence: str) -> bool:  # noqa: C901 - one case for each sentence there is
    """Return whether the rows say what a sentence says; by other means than it does."""
    names = f"({compared.a.artifact.name}|{compared.b.artifact.name})"
    number = r"(\d+(?:\.\d+)?)"
    rank = compared.row("rank")
    components = [each.name for each in compared.a.rank.components]

    def row(name: str) -> Row:
        return compared.row(name.replace(" ", "_"))

    def listed(text: str) -> list[str]:
        return re.split(r", | and ", text)

    if found := re.match(rf"{names} ranks {number} higher: ", sentence):
        leader = side(compared, found[1])
        better, worse = (rank.a, rank.b) if leader == "a" else (rank.b, rank.a)
        size = better.value - worse.value
        return (
            rank.lead == leader
            and better.low > worse.high
            and float(found[2]) == pytest.approx(size, abs=0.06)
        )
    if sentence.startswith("Their ranks are a tie"):
        overlap = rank.a.low <= rank.b.high and rank.b.low <= rank.a.high
        return rank.lead == "tie" and overlap
    if found := re.match(r"The rank of (.+) is unknown", sentence):
        return all(
            getattr(compared, side(compared, name)).rank.value is None
            for name in listed(found[1])
        )
    if found := re.match(rf"{names} leads in (\w+) by {number}: ", sentence):
        leader = side(compared, found[1])
        one = row(found[2])
        better, worse = (one.a, one.b) if leader == "a" else (one.b, one.a)
        return (
            one.lead == leader
            and better.low > worse.high
            and float(found[3]) == pytest.approx(better.value - worse.value, abs=0.006)
        )
    if found := re.match(r"They tie in (.+): the intervals overlap", sentence):
        return all(row(name).lead == "tie" for name in listed(found[1]))
    if found := re.match(r"Unknown of (.+?): (.+)\.$", sentence):
        sides = "ab" if found[1] == "both" else side(compared, found[1])
        return all(
            getattr(row(name), each).value is None
            for name in listed(found[2])
            for each in sides
        )
    said = {
        "can be had for free": "free",
        "may be used commercially": "commercial_use",
        "works offline": "offline",
    }
    for words, name in said.items():
        if found := re.match(rf"{names} {words}, {names} ", sentence):
            one, leader = row(name), side(compared, found[1])
            values = (one.a, one.b) if leader == "a" else (one.b, one.a)
            return values == (True, False) and one.lead == leader
    if found := re.match(rf"Only {names} states (\w+) (.+)\.$", sentence):
        one, own = row(found[2]), side(compared, found[1])
        mine, other = (one.a, one.b) if own == "a" else (one.b, one.a)
        only = [each.replace(" ", "_") for each in listed(found[3])]
        return all(each in mine and each not in other for each in only)
    if found := re.match(r"Both do (\d+) things?, at least in part", sentence):
        return int(found[1]) == len(compared.both)
    if sentence.startswith("No capability of the one answers"):
        return not compared.both
    if found := re.match(rf"Without a clear counterpart in {names}: ", sentence):
        left = compared.only_b if side(compared, found[1]) == "a" else compared.only_a
        return bool(left) and left[0].name in sentence
    if found := re.match(r"Of (\d+) needs? that both were tried for", sentence):
        known = compared.head_to_head
        return int(found[1]) == known.n and known.a + known.b <= known.n
    if found := re.match(rf"By the values alone, {names} is ahead for (\S+)", sentence):
        assert compared.ahead is not None
        mine = getattr(compared.ahead, side(compared, found[1]))
        count = compared.ahead.components
        pairs = [(row(name).a, row(name).b) for name in components]
        known_of_both = sum(None not in (x.value, y.value) for x, y in pairs)
        return (
            mine > 0.5
            and count == known_of_both
            and (found[2] == "every") == (mine == 1)
        )
    if sentence.startswith("By the values alone, they are equal"):
        return compared.ahead is not None and compared.ahead.a == compared.ahead.b
    return False


NAMES = ("alpha", "beta", "gamma", "delta", "omega")


def is_proved(one: Comparison, other: Comparison) -> None:
    """Hold what a comparison says from both sides to what it has."""
    for sentence in verdict(one):
        assert supported(one, sentence), sentence
        assert supported(other, sentence), sentence
    assert other == one.mirrored()
    assert other.mirrored() == one
    assert verdict(one) == verdict(other)
    assert len(one.both) + len(one.only_a) == len(one.a.artifact.capabilities)
    assert len(one.both) + len(one.only_b) == len(one.b.artifact.capabilities)
    for each in one.rows:
        if isinstance(each.a, Component) and isinstance(each.b, Component):
            unknown = each.a.value is None or each.b.value is None
            assert (each.lead == "unknown") == unknown


@settings(max_examples=40, deadline=None)
@given(st.tuples(*map(artifact, NAMES)), outcomes)
def test_no_verdict_says_what_its_rows_do_not(
    artifacts: tuple[dict[str, Any], ...], told: list[Told]
) -> None:
    encoder = HashingEncoder()
    known = graph(told)
    with TemporaryDirectory() as folder:
        home = Home(Path(folder))
        build(to_catalog(artifacts), encoder, home)
        with home.open() as generation:
            comparer = Comparer(Engine(generation, encoder))
            for a, b in combinations(NAMES, 2):
                is_proved(
                    comparer.compare(a, b, known, TODAY),
                    comparer.compare(b, a, known, TODAY),
                )


@pytest.fixture
def comparer(home: Home, encoder: HashingEncoder) -> Iterator[Comparer]:
    def made(slug: str, **fields: Any) -> dict[str, Any]:
        return {"slug": slug, "name": slug.title(), "type": "model", **fields}

    speech = {"name": "Transcribe speech", "inputs": ["audio"], "intents": ["speech"]}
    artifacts = [
        made(
            "alpha",
            facts={"deployment": ["edge"]},
            capabilities=[
                {
                    **speech,
                    "description": "Turns speech into text.",
                    "limitations": ["No speaker labels", "slow"],
                    "vs_alternatives": "Beta needs a server. Others do too.",
                }
            ],
        ),
        made(
            "beta",
            facts={"deployment": ["cloud_api"]},
            capabilities=[
                {
                    **speech,
                    "description": "Turns speech into text. Adds speaker labels.",
                    "requires": ["an account"],
                    "unique": "Faster than Alpha.",
                    "source": "https://example.org/beta",
                },
                {"name": "Draw pictures", "description": "Draws pictures."},
            ],
        ),
        made(
            "gamma",
            capabilities=[{"name": "Draw pictures", "description": "Draws pictures."}],
        ),
    ]
    build(to_catalog(artifacts), encoder, home)
    with home.open() as generation:
        yield Comparer(Engine(generation, encoder))


def compare(
    comparer: Comparer, a: str, b: str, need: str = "", known: MatchGraph = NOTHING
) -> Comparison:
    asked = Need.read(need) if need else None
    return comparer.compare(a, b, known, TODAY, asked)


def test_a_limitation_that_the_other_denies_is_flagged(comparer: Comparer) -> None:
    (pair,) = compare(comparer, "beta", "alpha").both
    (found,) = pair.contradictions
    assert (found.limited, found.limitation) == ("b", "No speaker labels")
    assert found.sentence == "Adds speaker labels."
    fields = {each.field: (each.a, each.b) for each in pair.differs}
    assert fields["requires"] == (("an account",), ())
    assert fields["limitations"] == ((), ("No speaker labels", "slow"))
    assert "inputs" not in fields


def test_claims_name_the_other_and_are_uncited_without_a_source(
    comparer: Comparer,
) -> None:
    one, other = compare(comparer, "alpha", "beta").claims
    assert (one.by, one.about, one.text) == ("alpha", "beta", "Beta needs a server.")
    assert one.source is None
    assert other.source == "https://example.org/beta"
    sentences = verdict(compare(comparer, "alpha", "beta"))
    assert "What the record of Alpha says of Beta is uncited." in sentences
    assert not any("record of Beta" in each for each in sentences)


def test_a_need_is_answered_by_its_must_haves_first(comparer: Comparer) -> None:
    found = compare(comparer, "beta", "alpha", "transcribe speech on edge device")
    assert found.lead == "b"
    first, *rest = verdict(found)
    assert first.endswith(
        "Alpha fits better than Beta, which violates deployment edge."
    )
    assert "Deployment edge: Alpha meets it (edge), Beta violates it (cloud api)." in (
        rest
    )
    assert any(
        each.startswith("Nearest to \u201ctranscribe speech\u201d") for each in rest
    )


def test_a_need_that_both_or_neither_answers_is_a_tie_or_unknown(
    comparer: Comparer,
) -> None:
    assert compare(comparer, "beta", "gamma", "draw pictures").lead == "tie"
    doubtful = compare(comparer, "alpha", "gamma", "draw pictures on edge device")
    assert doubtful.lead == "unknown"  # gamma draws, but nobody knows where it runs
    assert compare(comparer, "gamma", "alpha", "draw pictures").lead == "a"
    offline = compare(comparer, "beta", "gamma", "self-hosted, on edge device")
    assert offline.lead == "b"


def test_outcomes_are_quoted_with_their_counts_or_not_at_all(
    comparer: Comparer,
) -> None:
    assert not any(
        "tried for" in each for each in verdict(compare(comparer, "alpha", "beta"))
    )
    told: list[Told] = [
        ("alpha", "worked", "speech"),
        ("beta", "failed", "speech"),
        ("alpha", "worked", "talk"),
        ("beta", "worked", "talk"),
        ("alpha", "worked", "alone"),
    ]
    found = compare(comparer, "alpha", "beta", known=graph(told))
    assert found.head_to_head == (1, 0, 2)
    assert (
        "Of 2 needs that both were tried for, Alpha did better in 1, Beta in 0, "
        "and 1 were a tie." in verdict(found)
    )


def test_what_cannot_be_compared_is_named(comparer: Comparer) -> None:
    with pytest.raises(UnknownArtifactError, match="'nobody'"):
        compare(comparer, "alpha", "nobody")


def test_every_pair_is_compared_alike_from_either_side(comparer: Comparer) -> None:
    for a, b in combinations(("alpha", "beta", "gamma"), 2):
        for need in ("", "draw pictures", "free speech on edge device"):
            one, other = compare(comparer, a, b, need), compare(comparer, b, a, need)
            assert other == one.mirrored()
            assert verdict(one) == verdict(other)
