"""Which artifacts speak of which others: names found in the texts of records.

A record that sets a thing beside another, in what is unique about it or how it stands
against alternatives, takes it for a rival; one that names it elsewhere works with it.
"""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from index.artifact import Capability
from index.catalog import Catalog

FILE = "mentions.npy"

ENTRY = np.dtype([("row", "i4"), ("about", "i4"), ("beside", "?")])

_WORD = re.compile(r"[^\W_]+(?:\.[0-9]+)*")
_STARTS = ".!?:;"


def build(
    catalog: Catalog,
    is_word: Callable[[str], bool],
    folder: Path,
    tick: Callable[[int], None] = lambda done: None,
) -> None:
    """Write every mention of another artifact of `catalog`.

    `is_word` tells a common word from a name.
    """
    names = _Names(catalog, is_word)
    found: set[tuple[int, int, bool]] = set()
    row = 0
    for position, artifact in enumerate(catalog.values()):
        for capability in artifact.capabilities:
            for text, beside in _texts(capability):
                for about in names.find(text):
                    if about != position:
                        found.add((row, about, beside))
            row += 1
        tick(len(artifact.capabilities))
    np.save(folder / FILE, np.array(sorted(found), dtype=ENTRY))


def _texts(capability: Capability) -> list[tuple[str, bool]]:
    """Return the texts of a capability, and whether each sets things beside it."""
    beside = [capability.vs_alternatives, capability.unique]
    others = [capability.name, capability.description, *capability.requires]
    return [
        *((text, True) for text in beside if text),
        *((text, False) for text in [*others, *capability.best_for]),
    ]


class _Names:
    """The artifacts' names, found in texts as they are written, the longest first."""

    def __init__(self, catalog: Catalog, is_word: Callable[[str], bool]) -> None:
        self._is_word = is_word
        self._by_name: dict[tuple[str, ...], list[int]] = {}
        self._longest: dict[str, int] = {}
        for position, artifact in enumerate(catalog.values()):
            words = tuple(_WORD.findall(artifact.name))
            if words and not self._is_plain(words):
                self._by_name.setdefault(words, []).append(position)
                before = self._longest.get(words[0], 0)
                self._longest[words[0]] = max(before, len(words))

    def _is_plain(self, words: tuple[str, ...]) -> bool:
        """Return whether a name cannot be told from a word of the language."""
        return len(words) == 1 and words[0].islower() and self._is_word(words[0])

    def find(self, text: str) -> list[int]:
        """Return the artifacts that `text` names, by position."""
        matches = list(_WORD.finditer(text))
        words = [each[0] for each in matches]
        found: list[int] = []
        at = 0
        while at < len(words):
            length = self._longest.get(words[at], 0)
            while length and tuple(words[at : at + length]) not in self._by_name:
                length -= 1
            if length > 1 or (length and not self._opens(text, matches[at])):
                found += self._by_name[tuple(words[at : at + length])]
            at += max(length, 1)
        return found

    def _opens(self, text: str, match: re.Match[str]) -> bool:
        """Return whether a common word only has its capital from opening a sentence."""
        before = text[: match.start()].rstrip()
        opens = not before or before[-1] in _STARTS
        return opens and self._is_word(match[0].lower())


class Mentions:
    """What `build` wrote, by artifact."""

    def __init__(self, folder: Path, catalog: Catalog) -> None:
        """Open `folder`, built for `catalog`."""
        entries = np.load(folder / FILE)
        self._rows = entries["row"].astype(np.int64)
        self._about = entries["about"].astype(np.int64)
        self._beside = entries["beside"].copy()
        self._by = catalog.owners[self._rows]
        self._naming = _Groups(self._by, len(catalog))
        self._named = _Groups(self._about, len(catalog))

    def beside(self, position: int) -> NDArray[np.int64]:
        """Return the artifacts that one sets itself beside, ascending."""
        own = self._naming.of(position)
        return np.unique(self._about[own[self._beside[own]]])

    def rivals(self, position: int) -> NDArray[np.int64]:
        """Return the artifacts that set themselves beside one, ascending."""
        others = self._named.of(position)
        return np.unique(self._by[others[self._beside[others]]])

    def works_with(self, position: int) -> NDArray[np.int64]:
        """Return the artifacts that one names as part of its work, or is named by."""
        own, others = self._naming.of(position), self._named.of(position)
        named = self._about[own[~self._beside[own]]]
        return np.union1d(named, self._by[others[~self._beside[others]]])

    def by(self, position: int) -> NDArray[np.int64]:
        """Return all artifacts whose record names one, ascending."""
        return np.unique(self._by[self._named.of(position)])

    def most(self) -> int:
        """Return how many artifacts name the one that is named by most."""
        # Grouped by whom they name, then by who names: what is equal is together.
        pairs = (self._about << 32 | self._by)[self._named.places]
        distinct = pairs[np.flatnonzero(np.diff(pairs, prepend=-1))]
        return int(np.bincount(distinct >> 32).max(initial=0))

    def claims(self, position: int, about: int) -> list[int]:
        """Return the rows of capabilities of one that set it beside another."""
        own = self._naming.of(position)
        chosen = own[self._beside[own] & (self._about[own] == about)]
        rows: list[int] = self._rows[chosen].tolist()
        return rows


class _Groups:
    """Where each of the numbers from 0 to `size` - 1 stands in an array."""

    def __init__(self, numbers: NDArray[np.int64], size: int) -> None:
        self.places = np.argsort(numbers, kind="stable")
        """Of the least number first."""
        self._starts = np.searchsorted(numbers[self.places], np.arange(size + 1))

    def of(self, number: int) -> NDArray[np.int64]:
        """Return the places of `number`, ascending."""
        return self.places[self._starts[number] : self._starts[number + 1]]
