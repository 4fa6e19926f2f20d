import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.grammar import grammar
from index.slots import figure, short, tokens


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Self-hosted C++ or C#", ["self", "hosted", "c++", "or", "c#"]),
        ("don't use OpenAI's", ["dont", "use", "openai"]),
        ("7B, $5/1,000 pages", ["7", "b", ",", "$", "5", "/", "1,000", "pages"]),
        ("Apache-2.0 .NET", ["apache", "2.0", ".net"]),
        ("' \u2019", []),
    ],
)
def test_a_text_is_its_words_and_signs(text: str, words: list[str]) -> None:
    assert [each.word for each in tokens(text)] == words


@given(st.text(max_size=200))
def test_words_stand_where_they_say(text: str) -> None:
    at = 0
    for each in tokens(text):
        assert at <= each.start < each.end <= len(text)
        assert each.word
        at = each.end


def test_a_hyphen_ties_a_word_to_the_one_before() -> None:
    assert [each.joined for each in tokens("a self-hosted - thing")] == [
        False, False, True, False, False,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("slot", "text", "value"),
    [
        ("gb", "8 GB", "8 GB"),
        ("gb", "512mb", "0.512 GB"),
        ("params", "1.7b", "1.7B"),
        ("params", "a billion", "1B"),
        ("size", "70b", "70B"),
        ("size", "70m", None),
        ("params", "1b2c", None),
        ("tokens", "128k", "128K"),
        ("tokens", "one million", "1M"),
        ("tokens", "200000", "200K"),
        ("tokens", "12", None),
        ("money", "$5", "5 USD"),
        ("money", "20 euros a month", "20 EUR per month"),
        ("money", "50 cents", "0.5 USD"),
        ("money", "$4 per 1,000 pages", "4 USD per 1K pages"),
        ("money", "$9 monthly", "9 USD per month"),
        ("money", "5 apples", None),
        ("money", "$", None),
        ("money", "$5 per", "5 USD"),
        ("money", "$5 per 1000", "5 USD"),
        ("number", "1.2.3", None),
        ("number", "\u0663", None),
        ("licenses", "mit or apache 2.0", "MIT OR Apache-2.0"),
        ("licenses2", "mit", None),
        ("license_strong", "mit", None),
        ("license_strong", "agpl", "AGPL"),
        ("license_strong", "nothing", None),
        ("end", "", ""),
        ("bare", "7 to 9b", "7B"),
        ("bare", "7 apples", None),
    ],
)
def test_what_a_slot_reads(slot: str, text: str, value: str | None) -> None:
    found = list(grammar()._slots.read(slot, tokens(text), 0))
    assert [each for _, each in found][:1] == ([] if value is None else [value])[
        :1
    ] or (slot == "number" and value is None and not found)


@pytest.mark.parametrize(
    ("number", "text"), [(4e9, "4B"), (1.7e9, "1.7B"), (128_000, "128K"), (12, "12")]
)
def test_figures_are_short_and_come_back(number: float, text: str) -> None:
    assert short(number) == text
    assert figure(f"<= {text}") == number
