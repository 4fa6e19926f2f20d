"""The table: every row has its example, and every example its reading."""

import re
from copy import copy
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.grammar import Grammar, Rule, grammar
from index.slots import tokens

ROWS = grammar().rows


def said(text: str) -> list[tuple[str, str, bool]]:
    """Return the names, values and denials that the grammar finds in `text`."""
    words, at, found = tokens(text), 0, []
    while at < len(words):
        mentions = grammar().mentions(words, at)
        found += [(e.rule.name, e.rule.value, e.denied) for e in mentions if e.rule]
        idle = not mentions or (mentions[0].keep and not mentions[0].denied)
        at = at + 1 if idle else max(mentions[-1].last, at + 1)
    return list(dict.fromkeys(found))


@pytest.mark.parametrize(
    "row", ROWS, ids=[f"{each['name']}: {each['value']}" for each in ROWS]
)
def test_the_example_of_a_row_says_the_row(row: dict[str, str]) -> None:
    readings = [
        (name, value)
        for name, value, _ in said(row["example"])
        if name == row["name"] and grammar().rule(name, value)
    ]
    rules = [grammar().rule(name, value) for name, value in readings]
    assert rules, f"{row['example']!r} is read as {said(row['example'])}"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("without internet", [("offline", "yes", False)]),
        ("no gpu", [("hardware", "gpu", True)]),
        ("not a cloud service", [("deployment", "cloud", True)]),
        ("no gpl or agpl code", [("license", "GPL OR AGPL", True)]),
        (
            "without internet, in Dutch",
            [("offline", "yes", False), ("languages", "nl", False)],
        ),
        ("not only english", [("languages", "en", True)]),
        ("mit or apache", [("license", "MIT OR Apache-2.0", False)]),
        ("on an iphone or android phone", [("deployment", "mobile", False)]),
        ("between 7b and 9b", [("parameters", "7B - 9B", False)]),
        ("license plate recognition", []),
        ("edge detection", []),
        ("free-form answers", []),
        ("phone call bots for phone calls", []),
        ("no more than that", []),
        ("not sure", []),
        ("toll free numbers", []),
    ],
)
def test_what_is_said(text: str, found: list[tuple[str, str, bool]]) -> None:
    assert said(text) == found


def test_a_row_is_found_by_name_and_value() -> None:
    assert grammar().rule("deployment", "edge") is not None
    rule = grammar().rule("parameters", "<= 4B")
    assert rule is not None
    assert rule.bound == ("parameters", 0.0, 4e9)
    assert grammar().rule("outputs", "video") == Rule(
        "outputs", "video", met=("outputs=video",), closed=("outputs",)
    )
    licence = grammar().rule("license", "MIT OR Apache-2.0")
    assert licence is not None
    assert licence.met == ("license=MIT", "license=Apache-2.0")
    for unknown in ("moon", "parameters:many"):
        name, _, value = unknown.partition(":")
        assert grammar().rule(name, value) is None


def test_prices_and_records_are_read() -> None:
    assert next(iter(grammar().prices("$4 per 1,000 pages"))) == "4 USD per 1K pages"
    (found,) = grammar().recorded("The model runs fully offline.")
    assert found[0].name == "offline"
    assert found[1] is True
    denied = list(grammar().recorded("It needs an internet connection."))
    assert denied[0][1] is False


@given(
    st.lists(
        st.sampled_from(
            ["It", "runs", "fully offline.", "on", "edge's", "can't", "\u0130n", "\xdf",
             "in-house", "C++", "no", "GPU#", "locally", "needs", "an", "OFF", "Runs",
             "internet connection", "w\u0131thout", "WITHOUT", "\u2019s", "CPU.", "12"]
        )
    ).map(" ".join)
)  # fmt: skip
def test_a_record_that_is_passed_over_tells_nothing(text: str) -> None:
    careful = copy(grammar())
    vars(careful)["_telling"] = frozenset()
    assert [*grammar().recorded(text)] == [*careful.recorded(text)]


def test_a_malformed_phrase_is_refused() -> None:
    table = {
        "words": {"per": []},
        "units": {}, "numbers": {}, "currencies": {}, "periods": {},
        "licenses": {"MIT": ["mit"]}, "modalities": {"text": ["text"]},
        "languages": {"en": ["english"]}, "programming": {"python": ["python"]},
        "row": [{"name": "x", "value": "y", "say": ["a)"]}],
    }  # fmt: skip
    with pytest.raises(ValueError, match="bracket"):
        Grammar(table)


KEYS = {
    "name", "value", "say", "bare", "without", "denies", "met", "broken", "closed",
    "left", "open", "bound", "only", "keep", "records", "pair", "mode", "cloud_only",
    "example",
}  # fmt: skip


def test_the_table_explains_every_key_that_its_rows_have() -> None:
    text = (files("index") / "grammar.toml").read_text(encoding="utf-8")
    head = text.partition("[words]")[0]
    for row in ROWS:
        assert set(row) <= KEYS, row["value"]
        assert row["example"]
    for key in KEYS:
        assert re.search(rf"^#   (\w+, )?{key}\b", head, re.MULTILINE), key
