from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from index.builder import build
from index.errors import UnknownArtifactError
from index.events import MatchEvent
from index.home import Home
from search.alternatives import SHARED, Alternatives, Replacer, why
from search.engine import Engine
from search.graph import MatchGraph
from search.need import Need
from tests.conftest import HashingEncoder, to_catalog

NOW = datetime(2026, 11, 20, tzinfo=UTC)

SPEECH = {"name": "Transcribe speech", "description": "Turns speech into text."}
LABELS = {"name": "Label speakers", "description": "Says who spoke when."}
DRAW = {"name": "Draw pictures", "description": "Draws pictures from prompts."}
VOICE = {"name": "Clone voices", "description": "Speaks in a cloned voice."}


def made(slug: str, *capabilities: dict[str, Any], **fields: Any) -> dict[str, Any]:
    numbered = [{"id": f"c{n}", **each} for n, each in enumerate(capabilities)]
    return {
        "slug": slug,
        "name": slug.title(),
        "type": "model",
        "capabilities": numbered,
        **fields,
    }


ARTIFACTS = [
    made("scribe", SPEECH, LABELS, family="scribe"),
    made("scribe-2", SPEECH, LABELS, family="scribe"),
    made(
        "hearken",
        SPEECH,
        LABELS,
        VOICE,
        facts={"deployment": ["edge"]},
        pricing={"model": "open_source"},
    ),
    made("earful", SPEECH, family="ear", facts={"deployment": ["cloud_api"]}),
    made("earful-mini", SPEECH, family="ear"),
    made("painter", DRAW),
    made(
        "rival",
        {**DRAW, "vs_alternatives": "Scribe does it by voice."},
    ),
]


@pytest.fixture
def replacer(home: Home, encoder: HashingEncoder) -> Iterator[Replacer]:
    build(to_catalog(ARTIFACTS), encoder, home)
    with home.open() as generation:
        yield Replacer(Engine(generation, encoder))


def instead_of(
    replacer: Replacer,
    slug: str,
    need: str = "",
    *told: tuple[str, Any, str],
    **how: Any,
) -> Alternatives:
    graph = MatchGraph(
        MatchEvent(str(number), text, outcome, NOW, other)
        for number, (other, outcome, text) in enumerate(told)
    )
    asked = Need.read(need) if need else None
    return replacer.instead_of(slug, graph, asked, **how)


def slugs(found: Alternatives) -> list[str]:
    return [each.artifact.slug for each in found.found]


def test_the_best_does_most_of_it_and_shows_what_is_kept_gained_and_lost(
    replacer: Replacer,
) -> None:
    found = instead_of(replacer, "scribe")
    assert slugs(found)[:2] == ["hearken", "earful"]
    best, second, *_ = found.found
    assert [(a.name, b.name) for a, b in best.kept] == [
        ("Transcribe speech", "Transcribe speech"),
        ("Label speakers", "Label speakers"),
    ]
    assert [each.name for each in best.gained] == ["Clone voices"]
    assert best.lost == ()
    assert [each.name for each in second.lost] == ["Label speakers"]
    assert why(best, found.artifact)[0] == (
        "Hearken does 2 of the 2 things that Scribe does, at least in part."
    )
    scores = [each.score for each in found.found]
    assert scores == sorted(scores, reverse=True)
    for each in found.found:
        assert sum(each.parts.values()) == pytest.approx(each.score)


def test_neither_itself_nor_its_family_is_different_unless_asked(
    replacer: Replacer,
) -> None:
    assert not {"scribe", "scribe-2"} & set(slugs(instead_of(replacer, "scribe")))
    asked = slugs(instead_of(replacer, "scribe", family=True))
    assert "scribe" not in asked
    assert asked[0] == "scribe-2"
    assert {"earful", "earful-mini"} <= set(asked)


def test_of_a_family_the_best_is_listed_and_the_others_are_variants(
    replacer: Replacer,
) -> None:
    found = instead_of(replacer, "scribe")
    assert "earful-mini" not in slugs(found)
    (listed,) = [each for each in found.found if each.artifact.slug == "earful"]
    assert [each.slug for each in listed.variants] == ["earful-mini"]
    assert "Of the same family: Earful-Mini." in why(listed, found.artifact)


def test_what_must_hold_is_checked(replacer: Replacer) -> None:
    found = instead_of(replacer, "scribe", "but on edge device, free")
    assert slugs(found)[0] == "hearken"
    assert "earful" not in slugs(found)  # it is known to run in a cloud
    assert [each.status for each in found.found[0].checked] == ["satisfied"] * 2
    doubtful = [each for each in found.found if each.artifact.slug == "painter"]
    assert [each.status for each in doubtful[0].checked] == ["unknown"] * 2


def test_a_topic_moves_the_order(replacer: Replacer) -> None:
    plain = slugs(instead_of(replacer, "scribe"))
    drawing = slugs(instead_of(replacer, "scribe", "draw pictures from prompts"))
    assert drawing.index("painter") < plain.index("painter")


def test_records_that_name_each_other_as_rivals_count(replacer: Replacer) -> None:
    found = {each.artifact.slug: each for each in instead_of(replacer, "scribe").found}
    assert found["rival"].beside
    assert not found["painter"].beside
    assert found["rival"].score > found["painter"].score


def test_what_was_right_for_the_same_needs_is_an_alternative(
    replacer: Replacer,
) -> None:
    plain = {e.artifact.slug: e.score for e in instead_of(replacer, "scribe").found}
    told = [(slug, "worked", "minutes") for slug in ("scribe", "painter")]
    after = instead_of(replacer, "scribe", "", *told, ("rival", "failed", "minutes"))
    found = {each.artifact.slug: each for each in after.found}
    assert found["painter"].score == pytest.approx(plain["painter"] + SHARED / 3)
    assert found["rival"].score == pytest.approx(plain["rival"])
    assert (found["painter"].shared, found["rival"].shared) == (1, 0)
    assert "It was right for 1 need that Scribe was right for." in why(
        found["painter"], after.artifact
    )


def test_what_people_chose_it_for_weighs_more(replacer: Replacer) -> None:
    graph = MatchGraph(
        MatchEvent(str(n), "who spoke", "worked", NOW, "scribe", capability="c1")
        for n in range(9)
    )
    plain, weighed = (
        {
            each.artifact.slug: each.parts["covered"]
            for each in replacer.instead_of("scribe", known).found
        }
        for known in (MatchGraph(), graph)
    )
    lost = {slug: plain[slug] - weighed[slug] for slug in ("earful", "hearken")}
    assert lost["earful"] > 0.1  # it labels no speakers
    assert abs(lost["hearken"]) < lost["earful"] / 5


def test_as_many_as_asked_for_and_an_unknown_one_is_refused(
    replacer: Replacer,
) -> None:
    assert len(instead_of(replacer, "scribe", k=2).found) == 2
    with pytest.raises(UnknownArtifactError, match="'nobody'"):
        instead_of(replacer, "nobody")
