"""Words of a text, and the vocabularies and quantities that phrases may hold."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

_TOKEN = re.compile(
    r"[^\W\d_]+(?:['\u2019][^\W\d_]+)*(?:\+\+|#)?|(?i:\.net)\b|\d+(?:[.,]\d+)*"
    r"|<=|>=|[^\w\s]"
)
BREAKS = frozenset('.,;:!?()[]{}"\u201c\u201d')


class Token(NamedTuple):
    """A word or sign of a text, lower case, from `start` to `end`."""

    word: str
    start: int
    end: int
    joined: bool
    """Whether a hyphen ties it to the word before."""


def tokens(text: str) -> list[Token]:
    """Return the words and signs of `text`; a hyphen inside a word is none."""
    found: list[Token] = []
    for match in _TOKEN.finditer(text):
        word, start, end = match[0].casefold(), match.start(), match.end()
        if word == "-" and text[end : end + 1].isalnum() and found:
            continue
        if "'" in word or "\u2019" in word:
            word = re.sub(r"['\u2019]s$", "", word)
            word = word.replace("'", "").replace("\u2019", "")
            if not word:
                continue
        joined = start > 0 and text[start - 1] == "-" and bool(found)
        found.append(Token(word, start, end, joined))
    return found


SHARED = 5
"""Words within which two numbers share one unit: from 7 to 9b."""

SHORT = 2
"""Letters of a programming language's name that may be a common word: go, r, js."""


class Slots:
    """The vocabularies and quantities that phrases may hold."""

    def __init__(self, table: Mapping[str, Any]) -> None:
        """Read the vocabularies of the grammar's `table`."""
        self._vocabularies = {
            singular: {
                tuple(each.word for each in tokens(phrase)): value
                for value, phrases in table[plural].items()
                for phrase in phrases
            }
            for singular, plural in (
                ("license", "licenses"),
                ("modality", "modalities"),
                ("language", "languages"),
                ("programming", "programming"),
            )
        }
        self._units: dict[str, dict[str, float]] = table["units"]
        self._numbers: dict[str, float] = table["numbers"]
        self._currencies: dict[str, str] = table["currencies"]
        self._periods: dict[str, str] = table["periods"]
        self._per: frozenset[str] = frozenset(table["words"]["per"])
        self._vocabularies["code"] = {
            phrase: value
            for phrase, value in self._vocabularies["programming"].items()
            if max(map(len, phrase)) > SHORT
        }
        self._first = {
            name: frozenset(phrase[0] for phrase in each)
            for name, each in self._vocabularies.items()
        }
        for name in ("licenses", "licenses2", "license_strong"):
            self._first[name] = self._first["license"]
        self._amounts = frozenset([*self._numbers, *self._currencies])
        vocabularies = self._vocabularies.values()
        self._words = frozenset(
            [
                *(word for each in vocabularies for phrase in each for word in phrase),
                *(word for each in self._units.values() for word in each),
                *self._numbers,
                *self._currencies,
                *self._periods,
            ]
        )
        self._longest = {
            name: max(map(len, each)) for name, each in self._vocabularies.items()
        }

    def __contains__(self, word: str) -> bool:
        """Return whether a vocabulary or a unit has `word`."""
        return word in self._words

    def first(self, name: str) -> frozenset[str]:
        """Return the words that a value of slot `name` can begin with."""
        return self._first.get(name, self._amounts)

    def is_quantity(self, name: str) -> bool:
        """Return whether a value of slot `name` can also begin with a figure."""
        return name not in self._first

    def may_begin(self, name: str, word: str) -> bool:
        """Return whether a value of slot `name` can begin with `word`."""
        return word in self.first(name) or (
            self.is_quantity(name) and word[0].isdecimal()
        )

    def read(
        self, name: str, words: Sequence[Token], at: int
    ) -> Iterable[tuple[int, Any]]:
        """Yield where a value of slot `name` that begins at word `at` ends, and it."""
        if name != "end" and (
            at >= len(words) or not self.may_begin(name, words[at].word)
        ):
            return ()
        if name in self._vocabularies:
            return self._vocabulary(name, words, at)
        found: tuple[int, Any] | None = getattr(self, f"_{name}")(words, at)
        return [found] if found else []

    def _vocabulary(
        self, name: str, words: Sequence[Token], at: int
    ) -> Iterator[tuple[int, str]]:
        known = self._vocabularies[name]
        for end in range(min(at + self._longest[name], len(words)), at, -1):
            phrase = tuple(each.word for each in words[at:end])
            if phrase in known:
                yield end, known[phrase]
                return

    def _licenses(
        self, words: Sequence[Token], at: int, least: int = 1
    ) -> tuple[int, str] | None:
        """Return a list of licences; any of them will do."""
        found: list[str] = []
        end = at
        while True:
            place = at
            while found and place < len(words) and words[place].word in OR:
                place += 1
            if found and place == at:
                break
            one = next(iter(self._vocabulary("license", words, place)), None)
            if one is None:
                break
            at = end = one[0]
            found.append(one[1])
        if len(found) < least:
            return None
        return end, " OR ".join(dict.fromkeys(found))

    def _licenses2(self, words: Sequence[Token], at: int) -> tuple[int, str] | None:
        return self._licenses(words, at, 2)

    def _license_strong(
        self, words: Sequence[Token], at: int
    ) -> tuple[int, str] | None:
        """Return a licence whose name can mean nothing else."""
        found = self._licenses(words, at)
        if found is None:
            return None
        said = " ".join(each.word for each in words[at : found[0]])
        strong = re.search(r"\d|gpl|mpl|cc0|cc by|unlicense|sspl", said)
        return found if strong else None

    def _number(self, words: Sequence[Token], at: int) -> tuple[int, float] | None:
        if at >= len(words):
            return None
        word = words[at].word
        if word[0].isdecimal() and word.isascii():
            figure = word.replace(",", "")
            if figure.count(".") <= 1:
                return at + 1, float(figure)
        if word in self._numbers and word != "a":
            return at + 1, self._numbers[word]
        return None

    def _count(self, words: Sequence[Token], at: int) -> tuple[int, str] | None:
        found = self._number(words, at)
        return (found[0], f"{found[1]:g}") if found else None

    def _quantity(
        self, words: Sequence[Token], at: int, kind: str
    ) -> tuple[int, float] | None:
        number = self._number(words, at)
        if number is None and at < len(words) and words[at].word == "a":
            number = at + 1, 1.0
        if number is None or number[0] >= len(words):
            return None
        end = number[0] + 1
        tied = words[end : end + 1]
        if tied and tied[0].start == words[end - 1].end and tied[0].word.isalnum():
            return None  # a part of an identifier: A1b2C3
        if at and words[at - 1].end == words[at].start and words[at - 1].word.isalpha():
            return None
        unit = self._units[kind].get(words[number[0]].word)
        return (number[0] + 1, number[1] * unit) if unit else None

    def _bare(self, words: Sequence[Token], at: int) -> tuple[int, str] | None:
        """Return a number that shares the unit after the next one: 7-9b, 7 to 9b."""
        number = self._number(words, at)
        if number is None:
            return None
        units = self._units["params"]
        for each in words[at + 1 : at + SHARED]:
            if each.word in units:
                return at + 1, short(number[1] * units[each.word])
        return None

    def _gb(self, words: Sequence[Token], at: int) -> tuple[int, str] | None:
        found = self._quantity(words, at, "gb")
        return (found[0], f"{found[1]:g} GB") if found else None

    def _params(self, words: Sequence[Token], at: int) -> tuple[int, str] | None:
        found = self._quantity(words, at, "params")
        return (found[0], short(found[1])) if found else None

    def _size(self, words: Sequence[Token], at: int) -> tuple[int, str] | None:
        """Return a size that needs no word beside it: 7b, 1.5B, 70 billion."""
        found = self._params(words, at)
        if found is None or words[found[0] - 1].word not in {"b", "bn", "billion"}:
            return None
        return found

    def _tokens(self, words: Sequence[Token], at: int) -> tuple[int, str] | None:
        found = self._quantity(words, at, "tokens")
        if found is None:
            number = self._number(words, at)
            if number is None or number[1] < 1000:
                return None
            found = number
        return found[0], short(found[1])

    def _end(self, words: Sequence[Token], at: int) -> tuple[int, str] | None:
        ended = at >= len(words) or words[at].word in BREAKS
        return (at, "") if ended else None

    def _money(self, words: Sequence[Token], at: int) -> tuple[int, str] | None:
        """Return an amount with its currency and what it buys, USD 20 per month."""
        currency = None
        if at < len(words) and words[at].word in self._currencies:
            currency = self._currencies[words[at].word]
            at += 1
        number = self._number(words, at)
        if number is None:
            return None
        end, amount = number
        if currency is None:
            word = words[end].word if end < len(words) else ""
            if word in {"cent", "cents"}:
                currency, amount = "USD", amount / 100
            elif word in self._currencies:
                currency = self._currencies[word]
            else:
                return None
            end += 1
        money = f"{amount:g} {currency}"
        return self._bought(words, end, money)

    def _bought(self, words: Sequence[Token], end: int, money: str) -> tuple[int, str]:
        if end < len(words) and words[end].word in {"monthly", "yearly", "annually"}:
            return end + 1, f"{money} per {self._periods[words[end].word]}"
        if end + 1 >= len(words) or words[end].word not in self._per:
            return end, money
        count = self._tokens(words, end + 1) or self._count(words, end + 1)
        place = count[0] if count else end + 1
        if place >= len(words) or not words[place].word.isalpha():
            return end, money
        unit = words[place].word
        unit = self._periods.get(unit, unit)
        unit = unit if unit.endswith("s") or not count else unit + "s"
        return place + 1, f"{money} per {count[1] + ' ' if count else ''}{unit}"


OR = frozenset(["or", "and", ",", "/", "|"])


def short(number: float) -> str:
    """Return a large figure as people write it: 4e9 is 4B, 128000 is 128K."""
    for size, unit in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K")):
        if number >= size:
            return f"{number / size:g}{unit}"
    return f"{number:g}"


def figure(text: str) -> float:
    """Return the figure that `short` wrote, or the first number of `text`."""
    match = re.search(r"(\d+(?:\.\d+)?(?:e[+-]?\d+)?)\s*([TBMK]?)", text)
    assert match
    unit = {"T": 1e12, "B": 1e9, "M": 1e6, "K": 1e3, "": 1.0}[match[2]]
    return float(match[1]) * unit
