"""The words of the catalogue, and which of them a misspelt word was meant to be."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

from rapidfuzz import process
from rapidfuzz.distance import OSA

from index.keyword import WORD, analyse, fields
from index.shards import Shard

FILE = "words.json"

MIN_LETTERS = 4
"""Shorter words have too many neighbours to guess from."""

LONG_WORD = 8
"""From so many letters on, two edits are forgiven instead of one."""


class Correction(NamedTuple):
    """A word of a text, from `start` to `end`, and what it is read as."""

    start: int
    end: int
    word: str
    read_as: str


def part(shard: Shard) -> Counter[str]:
    """Return the words of `shard`, with the number of capabilities that use each."""
    counts: Counter[str] = Counter()
    plain = cache(_plain)
    for artifact in shard.artifacts:
        for capability in artifact.capabilities:
            text = " ".join(fields(artifact, capability).values())
            counts.update({*map(plain, WORD.findall(text))})
    del counts[""]
    return counts


def join(parts: Iterable[Counter[str]], folder: Path) -> None:
    """Write the words of all `parts`."""
    counts: Counter[str] = Counter()
    for each in parts:
        counts.update(each)
    content = json.dumps(dict(sorted(counts.items())), ensure_ascii=False)
    (folder / FILE).write_text(content, encoding="utf-8")


def _plain(word: str) -> str:
    """Return `word` in lower case; nothing for an identifier or an acronym."""
    plain = word.isalpha() and word.isascii() and len(word) >= MIN_LETTERS
    return word.lower() if plain and word[1:].islower() else ""


def _words(text: str) -> Iterator[tuple[re.Match[str], str]]:
    """Yield the words of `text`, lower-cased, but identifiers and acronyms."""
    for match in WORD.finditer(text):
        if word := _plain(match[0]):
            yield match, word


class Spelling:
    """Corrects words that neither the catalogue nor the encoder has met."""

    def __init__(self, folder: Path, has_term: Callable[[str], bool]) -> None:
        """Open what `join` wrote; `has_term` tells whether a stem has postings."""
        content = (folder / FILE).read_text(encoding="utf-8")
        self._counts: dict[str, int] = json.loads(content)
        self._has_term = has_term
        self._nearest = lru_cache(maxsize=10_000)(self._find_nearest)

    def corrections(
        self, text: str, is_word: Callable[[str], bool]
    ) -> tuple[Correction, ...]:
        """Return what of `text` is misspelt, in order.

        A word is left alone if the catalogue has it in any inflection, or if `is_word`
        knows it. Else it is read as the catalogue's word at the least optimal string
        alignment distance (insertions, deletions, substitutions and swaps of
        neighbours), the most used one of ties; as itself if none is near. A text of
        mostly unknown words, of which some are near to nothing, is left alone.
        """
        words = list(_words(text))
        unknown = [
            (match, word)
            for match, word in words
            if word not in self._counts
            and not any(map(self._has_term, analyse(word)))
            and not is_word(word)
        ]
        found = tuple(
            Correction(match.start(), match.end(), match[0], read_as)
            for match, word in unknown
            if (read_as := self._nearest(word))
        )
        foreign = len(found) < len(unknown) and len(unknown) * 2 > len(words)
        return () if foreign else found  # another language is no slip of the finger

    def begins_word(self, text: str) -> bool:
        """Return whether the last word of `text` begins a word of the catalogue."""
        last = text.casefold().split()[-1:] or [""]
        return any(word.startswith(last[0]) for word in self._counts)

    def _find_nearest(self, word: str) -> str | None:
        near = process.extract(
            word,
            self._counts.keys(),
            scorer=OSA.distance,
            score_cutoff=2 if len(word) >= LONG_WORD else 1,
            limit=None,
        )
        # Two edits that also change the first letter mostly meet another word.
        alike = [
            (distance, -self._counts[found], found)
            for found, distance, _ in near
            if distance == 1 or found[0] == word[0]
        ]
        return min(alike)[2] if alike else None
