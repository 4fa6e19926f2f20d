"""What needs and records say that can be checked, by the table `grammar.toml`."""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from typing import Any, NamedTuple

from index.automaton import Automaton
from index.slots import OR, Slots, Token, figure, tokens


@dataclass(frozen=True, slots=True)
class Rule:
    """What decides whether an artifact meets a statement: a row, its slots filled.

    `met`, `broken`, `left` and `open` are claims, `closed` fields: see the table.
    What states none of `only` violates it: an app has no parameters.
    `bound` is a numeric field with the least and the greatest figure that satisfy.
    """

    name: str
    value: str
    met: tuple[str, ...]
    broken: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    open: tuple[str, ...] = ()
    bound: tuple[str, float, float] | None = None
    only: tuple[str, ...] = ()
    cloud_only: bool = False
    """Whether an artifact that is known to run nowhere but in a cloud violates it."""
    negated: bool = False
    """Whether it is the contrary that is wanted."""


class Mention(NamedTuple):
    """A statement in a text: words `first` to `last` (not included) say `rule`.

    `keep` tells whether the words stay in a need's topic. Without a rule the words are
    an idiom that says nothing, or, if `denied`, a negation of something unknown.
    """

    first: int
    last: int
    rule: Rule | None = None
    keep: bool = False
    mode: str = "must"
    denied: bool = False


class Grammar:
    """The table, ready to read texts."""

    def __init__(self, table: Mapping[str, Any]) -> None:
        """Compile `table`; ValueError if a phrase of it is malformed."""
        self._slots = slots = Slots(table)
        self.rows: list[dict[str, Any]] = table["row"]
        self.words = {name: frozenset(each) for name, each in table["words"].items()}
        self._said, self._bare, self._without = (Automaton(slots) for _ in range(3))
        self._recorded, self._denies = Automaton(slots), Automaton(slots)
        kinds = {
            "say": self._said,
            "bare": self._bare,
            "without": self._without,
            "records": self._recorded,
            "denies": self._denies,
        }
        for order, row in enumerate(self.rows):
            for kind, automaton in kinds.items():
                for phrase in row.get(kind, ()):
                    automaton.add(phrase, (order, row))
            if row["name"] != "type":  # "not a diffusion model" denies no type
                for phrase in row.get("say", ()):
                    self._bare.add(phrase, (order, row))
        self._lists: dict[str, Automaton] = {}
        for name, phrases in table["words"].items():
            self._lists[name] = Automaton(slots)
            for order, phrase in enumerate(phrases):
                if re.search(r"\w", phrase):
                    self._lists[name].add(phrase, (order, name))
        for automaton in self._all():
            automaton.finish()

    def _all(self) -> list[Automaton]:
        said = [self._said, self._bare, self._without, self._recorded, self._denies]
        return [*said, *self._lists.values()]

    def knows(self, word: str) -> bool:
        """Return whether any phrase has `word`."""
        return any(each.knows(word) for each in self._all())

    def rule(self, name: str, value: str) -> Rule | None:
        """Return the rule of a row by its name and value; None if no row says that."""
        for row in self.rows:
            if row["name"] != name and row.get("pair") != name:
                continue
            pattern = re.sub(r"<\w+>", "(.+)", re.escape(row["value"]))
            held = re.fullmatch(pattern, value)
            if not held:
                continue
            if "pair" in row:
                return Rule(name, value, met=(f"{name}={value}",), closed=(name,))
            if "bound" in row and "<" in row["value"] and not re.search(r"\d", value):
                continue
            return rules(row, held.groups())[0]
        return None

    def ends(self, kind: str, words: Sequence[Token], at: int) -> int:
        """Return where the longest phrase of list `kind` from word `at` ends, or at."""
        found = self._lists[kind].longest(words, at, whole=kind != "negations")
        return found[0] if found else at

    def mentions(self, words: Sequence[Token], at: int) -> list[Mention]:
        """Return what the words from `at` on say: none, one, or a pair of mentions."""
        if words[at].joined:
            return []
        said = self._said.longest(words, at)
        if said and any(
            self.ends("idioms", words, each) > said[0]
            for each in range(at + 1, said[0])
        ):
            said = None
        idle = max(self.ends("idioms", words, at), self.ends("undenied", words, at))
        if said and said[0] >= idle:
            denied = self._denial(words, at)
            if denied and denied[0].last > said[0]:
                return denied
            return self._mentioned(words, at, said)
        denied = self._denial(words, at)
        if denied and (denied[0].rule or not idle > at):
            return denied
        return [Mention(at, idle)] if idle > at else denied

    def _mentioned(
        self,
        words: Sequence[Token],
        at: int,
        said: tuple[int, Any, tuple[Any, ...]],
        *,
        denied: bool = False,
    ) -> list[Mention]:
        """Return the mention that `said` is, alternatives of the same row taken in."""
        end, (order, row), held = said
        while not row.get("pair") and not row.get("bound"):
            place = end
            while place < len(words) and words[place].word in OR:
                place += 1
            more = self._bare.longest(words, place) if place > end else None
            if more is None or (more[1][0], more[2]) != (order, held):
                break
            end = more[0]
        return [
            Mention(
                at, end, rule, row.get("keep", False), row.get("mode", "must"), denied
            )
            for rule in rules(row, held, negated=denied)
        ]

    def _denial(self, words: Sequence[Token], at: int) -> list[Mention]:
        """Return what a negation at word `at` denies; all that it lists."""
        place = self.ends("negations", words, at)
        if place == at:
            return []
        after = self.filled(words, place)
        for start in dict.fromkeys((place, after)):
            found = self._denied(words, at, start)
            if found:
                return found
        return [Mention(at, after, denied=True)]

    def filled(self, words: Sequence[Token], at: int) -> int:
        """Return the first word from `at` on that is no filler."""
        while (end := self.ends("fillers", words, at)) > at:
            at = end
        return at

    def _denied(self, words: Sequence[Token], at: int, start: int) -> list[Mention]:
        found: list[Mention] = []
        place = start
        while place < len(words):
            without = self._without.longest(words, place)
            bare = self._bare.longest(words, place)
            if without and (not bare or without[0] >= bare[0]):
                found += self._mentioned(words, at, without)
            elif bare:
                found += self._mentioned(words, at, bare, denied=True)
            else:
                break
            end = at = place = found[-1].last
            while place < len(words) and words[place].word in _LISTED:
                place += 1
            if place == end or place == len(words):
                break
            if words[place - 1].word != ",":
                place = self.filled(words, place)
            elif self.ends("fillers", words, place) > place:
                break  # "without internet, in Dutch" denies no Dutch
        return found

    def recorded(self, text: str) -> Iterator[tuple[Rule, bool]]:
        """Yield what a sentence of a record says: a rule, and whether it holds."""
        if self._tells_nothing(text):
            return
        words, at = tokens(text), 0
        for start, (word, *_) in enumerate(words):
            if start < at:
                continue
            for automaton, holds in ((self._denies, False), (self._recorded, True)):
                if automaton.may_begin(word) and (
                    found := automaton.longest(words, start)
                ):
                    end, (_, row), held = found
                    at = max(at, end)
                    for rule in rules(row, held):
                        yield rule, holds

    def _tells_nothing(self, text: str) -> bool:
        """Return whether no word of a record's `text` can begin a phrase.

        That spares two sentences of three their tokens. It may tell nothing although
        this is false: where a word has an apostrophe, or where phrases begin otherwise.
        """
        if not self._telling or "'" in text or "\u2019" in text:
            return False
        return self._telling.isdisjoint(_LETTERS.findall(text.casefold()))

    @cached_property
    def _telling(self) -> frozenset[str]:
        """The words that phrases of records begin with; none if not all are letters."""
        recorded, denied = self._recorded.beginnings, self._denies.beginnings
        if recorded is None or denied is None:
            return frozenset()
        every = recorded | denied
        return every if all(map(str.isalpha, every)) else frozenset()

    def prices(self, text: str) -> Iterator[str]:
        """Yield the amounts of money in `text`, as `4 USD per 1K pages`."""
        words = tokens(text)
        for at in range(len(words)):
            for _, money in self._slots.read("money", words, at):
                yield money


_LETTERS = re.compile(r"[^\W\d_]+")

_LISTED = frozenset(["or", "nor", ",", "/"])


def rules(
    row: Mapping[str, Any], held: Sequence[Any], *, negated: bool = False
) -> list[Rule]:
    """Return the rules of a row whose slots hold `held`: one, or two for a pair."""
    if "pair" in row:
        names = (row["name"], row["pair"])
        return [
            Rule(name, value, met=(f"{name}={value}",), closed=(name,), negated=negated)
            for name, value in zip(names, held, strict=True)
        ]
    values = iter(held)
    value = re.sub(r"<\w+>", lambda _: str(next(values)), row["value"])
    met = [
        re.sub(r"<\w+>", each.replace("\\", ""), claim)
        for claim in row.get("met", ())
        for each in (value.split(" OR ") if "<" in claim else [""])
    ]
    return [
        Rule(
            row["name"],
            value,
            tuple(met),
            tuple(row.get("broken", ())),
            tuple(row.get("closed", ())),
            tuple(row.get("left", ())),
            tuple(row.get("open", ())),
            _bound(row, value),
            tuple(row.get("only", ())),
            row.get("cloud_only") == "violated",
            negated,
        )
    ]


MAINTAINED_DAYS = 365.0


def _bound(row: Mapping[str, Any], value: str) -> tuple[str, float, float] | None:
    if "bound" not in row:
        return None
    name, comparison = row["bound"]
    infinity = float("inf")
    if name == "age_days":
        return name, 0.0, MAINTAINED_DAYS
    low = high = figure(value)
    if comparison == "-":
        high = figure(value.partition(" - ")[2])
    if name == "price":
        name = "price in " + re.sub(r"^\D*[\d.]+ ", "", value)
    if comparison == "=":  # a 7B model may have 6.7 or 7.6 billion
        return name, low * 0.85, high * 1.15
    return (
        name,
        (low if comparison != "<=" else 0.0),
        (high if comparison != ">=" else infinity),
    )


@cache
def grammar() -> Grammar:
    """Return the shipped grammar."""
    text = (files("index") / "grammar.toml").read_text(encoding="utf-8")
    return Grammar(tomllib.loads(text))
