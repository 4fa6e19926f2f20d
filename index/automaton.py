"""Many phrases as one automaton over words, walked from a word of a text.

Where phrases share their beginning they share their states, made when first met: time
grows with the longest phrase, not with the number of phrases.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain
from threading import Lock
from typing import Any

from index.slots import BREAKS, Slots, Token, tokens

GAP = 4
"""Words at most that `*` of a phrase stands for."""


_closing = Lock()
"""Held by who changes states: walks of other threads may be about to do the same."""


@dataclass(slots=True)
class _State:
    words: dict[str, list["_State"]] = field(default_factory=dict)
    slots: dict[str, list["_State"]] = field(default_factory=dict)
    gaps: list["_State"] = field(default_factory=list)
    skips: list["_State"] = field(default_factory=list)
    ends: list[Any] = field(default_factory=list)

    def close(self) -> None:
        """Take over what the states that can be reached without a word have.

        Done when a walk first comes here, for most states are never met.
        """
        with _closing:
            self._close()

    def _close(self) -> None:
        seen, open_ = {id(self)}, list(self.skips)
        while open_:
            each = open_.pop()
            if id(each) in seen:
                continue
            seen.add(id(each))
            for word, states in each.words.items():
                self.words.setdefault(word, []).extend(states)
            for name, states in each.slots.items():
                self.slots.setdefault(name, []).extend(states)
            self.gaps.extend(each.gaps)
            self.ends.extend(each.ends)
            open_.extend(each.skips)
        self.skips = []


class Automaton:
    """Phrases, each with what it stands for."""

    def __init__(self, slots: Slots) -> None:
        """Hold nothing yet; `slots` reads what stands in `<angle brackets>`."""
        self._slots = slots
        self._start = _State()
        self._states: list[_State] = []
        self._words: frozenset[str] = frozenset()

    def add(self, phrase: str, meaning: Any) -> None:
        """Let `phrase` stand for `meaning`; see the table for its notation."""
        phrase = re.sub(r"(\w+)\[([\w|]+)\]", _optional_ending, phrase)
        phrase = re.sub(r"(\w+)\(([\w|]+)\)", _ending, phrase)
        phrase, _, following = phrase.partition("^")
        context = None
        if following:
            context = Automaton(self._slots)
            context.add(following, (0, None))
            context.finish()
        parts = re.findall(r"<\w+>|[\[\]()|*]|[^\s\[\]()|*]+", phrase)
        parts.reverse()
        end = self._alternatives(parts, self._start)
        if parts:
            raise ValueError(f"the phrase {phrase!r} has a bracket too many")
        end.ends.append((meaning, context))

    def finish(self) -> None:
        """Make it ready to match; no phrase can be added afterwards."""
        self._start.close()
        self._words = frozenset(
            chain.from_iterable(each.words for each in self._states)
        )
        slots = self._start.slots
        self._begins = frozenset(self._start.words).union(
            *map(self._slots.first, slots)
        )
        self._figures = any(map(self._slots.is_quantity, slots))

    def _state(self) -> _State:
        state = _State()
        self._states.append(state)
        return state

    def _alternatives(self, parts: list[str], start: _State) -> _State:
        end, at = self._state(), start
        while parts and parts[-1] not in {"]", ")"}:
            part = parts.pop()
            if part == "|":
                at.skips.append(end)
                at = start
                continue
            after = self._state()
            if part in {"[", "("}:
                inner = self._state()
                at.skips.append(inner)
                self._alternatives(parts, inner).skips.append(after)
                parts.pop()
                if part == "[":
                    at.skips.append(after)
            elif part == "*":
                at.gaps.append(after)
            elif part.startswith("<") and part.endswith(">") and len(part) > 2:
                at.slots.setdefault(part[1:-1], []).append(after)
            else:
                *first, last = _words(part)  # esp32 is two
                for word in first:
                    between = self._state()
                    at.words.setdefault(word, []).append(between)
                    at = between
                at.words.setdefault(last, []).append(after)
            at = after
        at.skips.append(end)
        return end

    def match(
        self, words: Sequence[Token], at: int
    ) -> Iterator[tuple[int, Any, tuple[Any, ...]]]:
        """Yield each phrase found from word `at` on: end, meaning, what slots hold."""
        seen: set[tuple[int, int, tuple[Any, ...]]] = set()
        open_: list[tuple[_State, int, tuple[Any, ...]]] = [(self._start, at, ())]
        while open_:
            state, place, held = open_.pop()
            if (id(state), place, held) in seen:
                continue
            seen.add((id(state), place, held))
            if state.skips:
                state.close()
            for meaning, context in state.ends:
                if context is None or context.longest(words, place):
                    yield place, meaning, held
            open_.extend(self._onward(state, words, place, held))

    def _onward(
        self, state: _State, words: Sequence[Token], at: int, held: tuple[Any, ...]
    ) -> Iterator[tuple[_State, int, tuple[Any, ...]]]:
        """Yield where a walk that is in `state` before word `at` can go from there."""
        if at < len(words) and (after := _step(state.words, words[at].word)):
            yield after, at + 1, held
        for after in state.gaps:
            yield from ((after, end, held) for end in _gap(words, at))
        for name in state.slots:
            for end, value in self._slots.read(name, words, at):
                if after := _step(state.slots, name):
                    yield after, end, (*held, value)

    def knows(self, word: str) -> bool:
        """Return whether a phrase has `word`, or a vocabulary that phrases may use."""
        return word in self._words or word in self._slots

    @property
    def beginnings(self) -> frozenset[str] | None:
        """The words that phrases can begin with; None if figures can, too."""
        return None if self._figures else self._begins

    def may_begin(self, word: str) -> bool:
        """Return whether a phrase can begin with `word`; most words begin none."""
        return word in self._begins or (self._figures and word[0].isdecimal())

    def longest(
        self, words: Sequence[Token], at: int, *, whole: bool = True
    ) -> tuple[int, Any, tuple[Any, ...]] | None:
        """Return the longest phrase from word `at` on, the first added of equals."""
        if at >= len(words):
            return None
        if not self.may_begin(words[at].word):
            return None
        best = None
        for end, meaning, held in self.match(words, at):
            if end == at or (whole and _cut(words, end)):
                continue
            if best is None or (end, -meaning[0]) > (best[0], -best[1][0]):
                best = (end, meaning, held)
        return best


@lru_cache(maxsize=4096)
def _words(part: str) -> tuple[str, ...]:
    return tuple(each.word for each in tokens(part))


def _step(edges: dict[str, list[_State]], edge: str) -> _State | None:
    """Return the one state that `edge` leads to.

    Where phrases share their beginning, it is made of theirs when first met: a walk
    then has one state to be in, however many phrases there are.
    """
    after = edges.get(edge)
    if not after:
        return None
    if len(after) > 1:
        merged = _State()
        merged.skips.extend(after)
        merged.close()
        edges[edge] = [merged]
        return merged
    return after[0]


def _gap(words: Sequence[Token], at: int) -> Iterator[int]:
    """Yield where up to GAP words from `at` on may end; they cross no sign."""
    for end in range(at, min(at + GAP, len(words)) + 1):
        if end > at and words[end - 1].word in BREAKS:
            return
        yield end


def _optional_ending(match: re.Match[str]) -> str:
    stem, endings = match[1], match[2].split("|")
    return "(" + "|".join([stem, *(stem + each for each in endings)]) + ")"


def _ending(match: re.Match[str]) -> str:
    return "(" + "|".join(match[1] + each for each in match[2].split("|")) + ")"


def _cut(words: Sequence[Token], end: int) -> bool:
    """Return whether a phrase that ends before word `end` would cut a compound."""
    return end < len(words) and words[end].joined
