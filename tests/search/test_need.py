import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.errors import NeedError
from search.need import MAX_LENGTH, Need


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("  grounded   captioning \n", "grounded captioning"),
        ("a\x00b\x1b[31m", "a b [31m"),
        ("Cafe\u0301", "Café"),
        ("name:* AND (((", "name:* AND ((("),
        ("'; DROP TABLE needs; --", "'; DROP TABLE needs; --"),
        ("图像描述", "图像描述"),
        ("توليد الصور", "توليد الصور"),
        ("draw 🎨", "draw 🎨"),
        ("half a surrogate \ud800", "half a surrogate ?"),
        ("x" * MAX_LENGTH, "x" * MAX_LENGTH),
    ],
)
def test_words_are_read_as_prose(text: str, read: str) -> None:
    assert Need.read(text).text == read
    assert Need.read(text).topic == read


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "at least 2 characters"),
        ("  \n ", "at least 2 characters"),
        ("x", "at least 2 characters"),
        ("x" * 501, "at most 500 characters, not 501"),
        ("word " * 10_000, "at most 500 characters, not 49,999"),
        ("?!... ---", "has words"),
        ("🎨🎨🎨", "has words"),
        ("\x00\x00\x00", "at least 2 characters"),
    ],
)
def test_what_cannot_be_searched_for_is_refused_with_the_way_out(
    text: str, why: str
) -> None:
    with pytest.raises(NeedError, match=why):
        Need.read(text)


def test_an_unknown_type_is_refused_with_the_known_ones() -> None:
    assert Need.read("draw", ["model"]).types == {"model"}
    with pytest.raises(NeedError, match="'toaster'; types are agent, api"):
        Need.read("draw", ["model", "toaster"])


@given(st.text(max_size=600))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        need = Need.read(text)
    except NeedError:
        return
    assert 2 <= len(need.text) <= MAX_LENGTH
    assert Need.read(need.text) == need
