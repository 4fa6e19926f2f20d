from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.events import OUTCOMES, MatchEvent
from search.graph import CAP, HALF_LIFE, SHARED, MatchGraph, Outcomes, need_key

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)
IDS = count()


def event(outcome: str, after: float = 0, **given: Any) -> MatchEvent:
    """Return an event `after` seconds."""
    at = NOW + timedelta(seconds=after)
    fields = {"need": "captions", "artifact": "a", "source": "test", **given}
    if outcome == "unmet":
        fields["artifact"] = None
    return MatchEvent(id=str(next(IDS)), outcome=outcome, at=at, **fields)  # type: ignore[arg-type]  # a plain text stands for the literal


def shown(match: str, after: float = 0, **given: Any) -> MatchEvent:
    return event("shown", after, match=match, **given)


def test_needs_artifacts_and_capabilities_are_counted() -> None:
    graph = MatchGraph(
        [
            shown("1", capability="c", position=1),
            shown("1", artifact="b", position=2),
            event("chosen", 1, match="1", capability="c"),
            event("worked", 2, match="1", capability="c"),
            shown("2", 3600, need="Captions!", artifact="b"),
        ]
    )
    assert graph.matches == 2
    assert graph.needs["captions"].matches == 2
    assert graph.needs["captions"].text == "Captions!"
    assert graph.artifacts["a"].counts == {"shown": 1, "chosen": 1, "worked": 1}
    assert graph.artifacts["b"].counts["shown"] == 2
    assert graph.capabilities["a", "c"].counts["worked"] == 1
    assert graph.edges["captions", "a"].counts["worked"] == 1
    assert graph.totals() == {"chosen": 1, "shown": 3, "worked": 1}


def test_one_burst_of_typing_is_one_need() -> None:
    graph = MatchGraph(
        [
            shown("1", 0, need="capt"),
            shown("2", 1, need="captions o", artifact="b"),
            shown("3", 2, need="captions of images", artifact="c"),
        ]
    )
    assert list(graph.needs) == ["captions of images"]
    assert graph.matches == 1
    assert graph.totals() == {"shown": 1}


def test_a_need_that_got_an_outcome_was_no_beginning() -> None:
    graph = MatchGraph(
        [
            shown("1", 0, need="capt"),
            event("worked", 1, need="capt", match="1"),
            shown("2", 2, need="captions", artifact="b"),
        ]
    )
    assert set(graph.needs) == {"capt", "captions"}


def test_a_reload_counts_no_second_time_another_caller_does() -> None:
    graph = MatchGraph(
        [
            shown("1", 0),
            shown("2", 60),
            shown("3", 120, source="another"),
            shown("4", 3600),
        ]
    )
    assert graph.matches == 3
    assert graph.artifacts["a"].counts["shown"] == 3


def test_an_outcome_told_twice_counts_once() -> None:
    graph = MatchGraph(
        [shown("1"), event("worked", 1, match="1"), event("worked", 2, match="1")]
    )
    assert graph.artifacts["a"].counts["worked"] == 1


def test_what_one_source_can_move_in_a_day_is_bounded() -> None:
    attack = [
        each
        for number in range(100)
        for each in (
            shown(str(number), number * 10, need=f"captions {number % 2}"),
            event("worked", number * 10 + 1, need="captions", match=str(number)),
        )
    ]
    graph = MatchGraph(attack)
    assert graph.edges["captions", "a"].counts["worked"] == CAP
    later = event("worked", 90_000, match="later")
    graph.fold(shown("later", 89_999))
    graph.fold(later)
    assert graph.edges["captions", "a"].counts["worked"] == CAP + 1


def test_unmet_needs_are_named_once_enough_share_them() -> None:
    def asked(number: int, need: str) -> MatchEvent:
        return event("unmet", number * 3600, need=need, match=f"{need}{number}")

    graph = MatchGraph([asked(number, "fly to mars") for number in range(SHARED - 1)])
    assert graph.unmet() == []
    graph.fold(asked(SHARED, "fly to mars"))
    (node,) = graph.unmet()
    assert (node.text, node.unmet) == ("fly to mars", SHARED)
    typing = MatchGraph([asked(0, "fly"), event("unmet", 1, need="fly to", match="x")])
    assert typing.needs["fly to"].unmet == 1


def test_success_is_the_mean_of_a_beta_posterior() -> None:
    outcomes = Outcomes()
    assert outcomes.success() is None
    for _ in range(12):
        outcomes.add("worked", NOW)
    for _ in range(3):
        outcomes.add("failed", NOW)
    success = outcomes.success()
    assert success is not None
    assert success.value == pytest.approx(13 / 17)
    assert success.n == 15
    assert 0 < success.low < success.value < success.high < 1


def test_outcomes_fade_with_their_age_in_whatever_order_they_come() -> None:
    early, late = NOW - HALF_LIFE, NOW
    forth, back = Outcomes(), Outcomes()
    for at in (early, late):
        forth.add("worked", at)
    for at in (late, early):
        back.add("worked", at)
    assert forth.worked == back.worked == pytest.approx(1.5)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(OUTCOMES),
            st.integers(0, 5),
            st.sampled_from(["a", "b"]),
            st.sampled_from(["cap", "captions", "x"]),
            st.integers(0, 4000),
        ),
        max_size=40,
    )
)
def test_counts_are_never_negative(raw: list[tuple[str, int, str, str, int]]) -> None:
    graph, clock = MatchGraph(), 0
    for outcome, match, artifact, need, gap in raw:
        clock += gap
        graph.fold(
            event(outcome, clock, match=str(match), artifact=artifact, need=need)
        )
    for each in (*graph.artifacts.values(), *graph.edges.values()):
        assert all(value >= 0 for value in each.counts.values())
    assert graph.matches == sum(node.matches for node in graph.needs.values())
    assert all(node.matches > 0 for node in graph.needs.values())


def test_a_need_is_its_words() -> None:
    assert (
        need_key("  Grounded captioning, ON-device?! ")
        == "grounded captioning on device"
    )


def test_needs_that_two_were_right_for_are_shared() -> None:
    graph = MatchGraph(
        [
            event("worked", need="x"),
            event("worked", need="x", artifact="b"),
            event("failed", need="x", artifact="c"),
            event("worked", need="y"),
            event("failed", need="z"),
            event("worked", need="z", artifact="b"),
            shown("1", need="y", artifact="b"),
        ]
    )
    assert graph.shared("a") == {"b": 1}
    assert graph.shared("nobody") == {}
    assert graph.head_to_head("a", "b") == (1, 1, 3)
    assert graph.head_to_head("b", "a") == (1, 1, 3)
    assert graph.head_to_head("a", "nobody") == (0, 0, 0)


def test_unmet_needs_of_the_same_terms_are_one() -> None:
    def asked(number: int, need: str) -> MatchEvent:
        match = f"{need}{number}"
        return event("unmet", number * 3600, need=need, match=match)

    wordings = ("train tickets to Vienna", "a ticket for the Vienna train")
    graph = MatchGraph(
        [
            *(asked(number, wordings[0]) for number in range(SHARED - 1)),
            asked(9, wordings[1]),
            asked(10, "something private"),
        ]
    )
    (node,) = graph.unmet()
    assert (node.text, node.unmet) == ("ticket train vienna", SHARED)
    graph.fold(asked(11, wordings[0]))
    (node,) = graph.unmet()
    assert (node.text, node.unmet) == (wordings[0], SHARED + 1)


def test_of_the_sources_those_that_asked_last_are_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("search.graph.SOURCES", 2)
    graph = MatchGraph(shown(each, source=each) for each in "abc")
    assert [*graph.ledger.asked] == [*graph.ledger.hits] == ["b", "c"]
    graph.fold(shown("b again", 60, source="b"))
    assert graph.matches == 3  # a reload
    graph.fold(shown("a again", 60, source="a"))
    assert graph.matches == 4  # nobody remembers


def test_hits_that_come_late_are_counted_and_not_remembered() -> None:
    graph = MatchGraph([shown("1"), shown("2", 3600, need="x"), shown("1", 3601)])
    assert graph.edges["captions", "a"].counts == {"shown": 2}
    assert [*graph.ledger.hits] == ["2"]


def test_an_unmet_need_that_was_not_yet_typed_to_its_end_is_none() -> None:
    unmet = [
        event("unmet", number * 3600, need="fly to", match=f"m{number}")
        for number in range(SHARED)
    ]
    graph = MatchGraph(unmet)
    assert [each.text for each in graph.unmet()] == ["fly to"]
    last = SHARED * 3600 - 3600
    graph.fold(event("unmet", last + 1, need="fly to mars", match="further"))
    assert graph.unmet() == []
    alone = MatchGraph(unmet[:1])
    alone.fold(event("unmet", 1, need="fly to mars", match="further"))
    assert [*alone.unmet_needs.groups] == [*alone.needs] == ["fly to mars"]
