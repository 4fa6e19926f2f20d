import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.automaton import Automaton
from index.grammar import grammar
from index.slots import tokens


def automaton(*phrases: str) -> Automaton:
    """Return an automaton of `phrases`, each standing for itself."""
    made = Automaton(grammar()._slots)
    for order, phrase in enumerate(phrases):
        made.add(phrase, (order, phrase))
    made.finish()
    return made


@pytest.mark.parametrize(
    ("phrase", "text", "words"),
    [
        ("on device", "on device captioning", 2),
        ("on device", "on my device", 0),
        ("on [my|our] device", "on our device", 3),
        ("on [my|our] device", "on device", 2),
        ("work[s] (local|offline)", "works offline", 2),
        ("self host(ed|ing)", "self-hosting", 2),
        ("self host(ed|ing)", "self-host", 0),
        ("keep * here", "keep all of it here", 5),
        ("keep * here", "keep here", 2),
        ("keep * here", "keep one two three four five here", 0),
        ("keep * here", "keep it. here", 0),
        ("local ^ model", "local model", 1),
        ("local ^ model", "local news", 0),
        ("under <gb>", "under 8 gb", 3),
        ("esp32", "ESP32", 2),
        ("free", "free-form", 0),
        ("model <end>", "a model, please", 0),
        ("a model <end>", "a model, please", 2),
    ],
)
def test_how_far_a_phrase_reaches(phrase: str, text: str, words: int) -> None:
    found = automaton(phrase).longest(tokens(text), 0)
    assert (found[0] if found else 0) == words


def test_the_longest_phrase_wins_and_the_first_of_equals() -> None:
    made = automaton("open source", "open", "open (source|code)")
    found = made.longest(tokens("open source"), 0)
    assert found is not None
    assert found[:2] == (2, (0, "open source"))


def test_slots_are_held_in_order() -> None:
    found = automaton("<params> to <params>").longest(tokens("7b to 9b"), 0)
    assert found is not None
    assert found[2] == ("7B", "9B")


def test_a_bracket_too_many_is_refused() -> None:
    with pytest.raises(ValueError, match="a bracket too many"):
        automaton("on device)")


words = st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=6).map(" ".join)


@given(st.lists(words.filter(bool), min_size=1, max_size=8), words)
def test_many_phrases_match_as_each_alone(phrases: list[str], text: str) -> None:
    found = automaton(*phrases).longest(tokens(text), 0)
    ends = [
        len(phrase.split())
        for phrase in phrases
        if text.split()[: len(phrase.split())] == phrase.split()
    ]
    assert (found[0] if found else 0) == max(ends, default=0)
