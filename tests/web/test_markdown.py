from typing import Any

import pytest

from web import markdown, terminal
from web.markdown import escaped, lead, link

PAIR = {
    "a": {"name": "Write_speech"},
    "b": {"name": "Speak"},
    "similarity": 0.5,
    "contradictions": [
        {"limited": "a", "limitation": "No labels", "sentence": "Adds labels."}
    ],
}

COMPARED: dict[str, Any] = {
    "a": {"name": "Alpha", "url": "https://a.example/(x)"},
    "b": {"name": "Beta", "url": None},
    "query": "speech *now*",
    "verdict": {"sentences": ["Their ranks are a tie."]},
    "rows": [
        {"name": "type", "a": "cli", "b": "app", "lead": "unknown", "ordered": False},
        {"name": "free", "a": True, "b": False, "lead": "a", "ordered": True},
        {"name": "offline", "a": None, "b": True, "lead": "unknown", "ordered": True},
        {
            "name": "rank",
            "a": {"value": 61.0, "low": 50.0, "high": 70.0},
            "b": {"value": 60.0, "low": 20.0, "high": 90.0},
            "lead": "tie",
            "ordered": True,
        },
    ],
    "capabilities": {"both": [PAIR], "onlyA": [], "onlyB": [{"name": "Draw"}]},
    "evidence": {
        "claims": [
            {"by": "alpha", "text": "Beta is slow.", "source": None},
            {"by": "beta", "text": "Alpha is old.", "source": "https://b.example"},
        ]
    },
    "next": {"query": "speech *now*", "must": ["not-artifact:alpha"]},
}


def test_a_comparison_says_the_same_as_markdown_and_in_a_terminal() -> None:
    text = "\n".join(markdown.comparison(COMPARED))
    assert "| free | yes | no | Alpha |" in text
    assert "| type | cli | app |  |" in text
    assert r"| rank | 61.0 \[50.0, 70.0\] | 60.0 \[20.0, 90.0\] | tie |" in text
    assert r"| Write\_speech | Speak | 0.50 |" in text
    said = "\u201cNo labels\u201d, Beta says: \u201cAdds labels.\u201d"
    limit = f"Alpha states the limit {said}"
    assert f"- {limit}" in text
    assert "## Only Beta" in text and "## Only Alpha" not in text
    assert "- alpha: Beta is slow. (uncited)" in text
    assert "([source](https://b.example))" in text
    printed = " ".join(" ".join(terminal.comparison(COMPARED)).split())
    for said in (limit, "Their ranks are a tie.", "Beta is slow. (uncited)", "Draw"):
        assert said in printed
    assert "--must not-artifact:alpha" in printed


def test_text_is_never_read_as_markdown() -> None:
    assert escaped("a *b* [c](d)\n| e") == r"a \*b\* \[c\](d) \| e"
    assert link({"name": "A", "url": "https://a.example/(x)"}) == (
        "[A](https://a.example/x)"
    )
    assert link({"name": "A|B", "url": None}) == r"A\|B"


@pytest.mark.parametrize(
    ("given", "ordered", "word"),
    [
        ("a", True, "Alpha"),
        ("b", True, "Beta"),
        ("tie", True, "tie"),
        ("unknown", True, "unknown"),
        ("tie", False, "same"),
        ("unknown", False, ""),
    ],
)
def test_who_is_ahead_is_one_word(given: str, *, ordered: bool, word: str) -> None:
    assert lead({"lead": given, "ordered": ordered}, COMPARED) == word


def test_what_came_of_an_edge_leaves_out_what_never_happened() -> None:
    edge = {"shown": 4, "chosen": 0, "worked": 2, "failed": 0}
    assert markdown.told(edge) == "shown 4, worked 2"


def test_nothing_found_is_said() -> None:
    answer: dict[str, Any] = {
        "query": "x",
        "matches": [],
        "nearest": None,
        "hidden": [],
    }
    assert "Nothing here fits this need." in [*markdown.answer(answer)]
    empty: dict[str, Any] = {
        "artifact": {"name": "A"},
        "query": None,
        "alternatives": [],
    }
    assert [*markdown.alternatives(empty)][-1] == "Nothing fits."
