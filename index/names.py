"""The names of a catalogue's artifacts, in order, so that any is found by bisection."""

import json
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate, chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from index.artifact import Artifact

OWNED = 2
"""Parts of a path that is an owner and a name, as code and model hosts have them."""

TELLING = 5
"""Letters from which on the beginning of a word tells a name."""

CALLED = 12
"""Artifacts at most that a part of a name may mean; "mcp" is part of hundreds."""


@dataclass(frozen=True, slots=True)
class NameTable:
    """What artifacts are called, each part as it lies on the disk.

    `names` are all names in order, `owners` the number of the artifact of each, and
    `joined` their places in the order of what they are without spaces. `words` are the
    words of names in order; the names that have word i are those at `places` from
    `starts[i]` to `starts[i + 1]`. To look one up takes microseconds; to make tables of
    them all would take a start much longer.
    """

    names: list[str]
    words: list[str]
    owners: NDArray[np.int32]
    joined: NDArray[np.int32]
    starts: NDArray[np.int32]
    places: NDArray[np.int32]

    @classmethod
    def of(cls, artifacts: Iterable[Artifact]) -> "NameTable":
        """Return the names of `artifacts`, which are numbered in this order."""
        pairs = sorted(
            (name, number)
            for number, artifact in enumerate(artifacts)
            for name in _names(artifact)
        )
        names = [name for name, _ in pairs]
        with_word: dict[str, list[int]] = {}
        for place, name in enumerate(names):
            for word in {*name.split()}:
                with_word.setdefault(word, []).append(place)
        words = sorted(with_word)
        places = [with_word[word] for word in words]
        plain = [_joined(name) for name in names]
        return cls(
            names,
            words,
            np.array([number for _, number in pairs], dtype=np.int32),
            np.array(sorted(range(len(names)), key=plain.__getitem__), dtype=np.int32),
            np.fromiter(accumulate(map(len, places), initial=0), dtype=np.int32),
            np.fromiter(chain.from_iterable(places), dtype=np.int32),
        )

    @classmethod
    def open(cls, folder: Path) -> "NameTable":
        """Return the names that `write` left in `folder`."""
        strings = json.loads((folder / "names.json").read_bytes())
        arrays = np.load(folder / "names.npy")
        ends = np.cumsum(strings["lengths"])[:-1]
        return cls(strings["names"], strings["words"], *np.split(arrays, ends))

    def write(self, folder: Path) -> None:
        """Write `names.json` and, its arrays one behind the other, `names.npy`."""
        arrays = [self.owners, self.joined, self.starts, self.places]
        lengths = [len(each) for each in arrays]
        strings = {"names": self.names, "words": self.words, "lengths": lengths}
        (folder / "names.json").write_text(json.dumps(strings), encoding="utf-8")
        np.save(folder / "names.npy", np.concatenate(arrays))

    def named(self, text: str) -> NDArray[np.int64]:
        """Return the numbers of the artifacts whose name or identifier `text` is.

        Case, spaces and punctuation do not count; a name may be given with its owner,
        as in addresses. Ascending; empty if `text` names nothing.
        """
        plain = "".join(_words(text))

        def at(place: int) -> str:
            return _joined(self.names[place])

        start = bisect_left(self.joined, plain, key=at)
        end = bisect_right(self.joined, plain, lo=start, key=at)
        return self._owners(self.joined[start:end])

    def named_like(self, text: str) -> NDArray[np.int64]:
        """Return the numbers of the artifacts with a name that begins with `text`.

        Whole words count: "postgres mcp" begins "Postgres MCP Pro". Ascending.
        """
        begin = " ".join(_words(text)) + " "

        def cut(name: str) -> str:
            return name[: len(begin)]

        start = bisect_left(self.names, begin)
        end = bisect_right(self.names, begin, lo=start, key=cut)
        return self._owners(np.arange(start, end))

    def called(self, text: str) -> NDArray[np.int64]:
        """Return the numbers of the artifacts that `text` may mean, ascending.

        Those it names; else those with a name that begins with it; else those with a
        name that it is a part of, unless these are too many for a name.
        """
        for found in (self.named(text), self.named_like(text)):
            if len(found):
                return found
        among = self._named_with(_words(text))
        return among if len(among) <= CALLED else among[:0]

    def containing(self, text: str) -> NDArray[np.int64]:
        """Return the numbers of the artifacts with `text` in a name, ascending.

        The last word may be the beginning of one, if it is long enough to tell.
        """
        words = _words(text)
        if not words:
            return np.zeros(0, dtype=np.int64)
        telling = len(words[-1]) >= TELLING
        among = [*map(self._places, words[:-1])]
        among.append((self._places_like if telling else self._places)(words[-1]))
        rarest = min(among, key=len)
        if len(words) == 1:
            return self._owners(rarest)
        part = f" {' '.join(words)}" + ("" if telling else " ")
        return self._owners(
            [i for i in rarest.tolist() if part in f" {self.names[i]} "]
        )

    def with_word(self, word: str) -> int:
        """Return how many artifacts have `word` in a name."""
        return len(self._owners(self._places(word)))

    def _named_with(self, words: list[str]) -> NDArray[np.int64]:
        by_word = [self._places(word).tolist() for word in words]
        rare: list[int] = min(by_word, key=len, default=[])
        part = f" {' '.join(words)} "
        found = [each for each in rare if part in f" {self.names[each]} "]
        if not found:  # AUTOMATIC1111 web UI is AUTOMATIC1111's Stable Diffusion web UI
            found = [each for each in rare if {*words} <= {*self.names[each].split()}]
        return self._owners(found)

    def _places(self, word: str) -> NDArray[np.int32]:
        """Return the places of the names that have `word`."""
        number = bisect_left(self.words, word)
        if self.words[number : number + 1] != [word]:
            return self.places[:0]
        return self.places[self.starts[number] : self.starts[number + 1]]

    def _places_like(self, begin: str) -> NDArray[np.int32]:
        """Return the places of the names with a word that begins so, some repeated."""
        first = bisect_left(self.words, begin)
        end = bisect_right(self.words, begin, lo=first, key=lambda w: w[: len(begin)])
        return self.places[self.starts[first] : self.starts[end]]

    def _owners(self, places: NDArray[np.integer] | list[int]) -> NDArray[np.int64]:
        return np.unique(self.owners[np.asarray(places, dtype=np.int64)]).astype(
            np.int64
        )


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.casefold())


def _joined(name: str) -> str:
    return name.replace(" ", "")


def _names(artifact: Artifact) -> set[str]:
    """Return the words of each name: its own, its slug, and each with its owner."""
    names = [artifact.slug, artifact.name, f"{artifact.provider} {artifact.name}"]
    for address in (artifact.url, artifact.repository):
        path = (address or "").partition("://")[2].partition("/")[2]
        owned = path.strip("/").split("/")[:2]
        if len(owned) == OWNED and _words(artifact.name) == _words(owned[1]):
            names.append(" ".join(owned))
    return {" ".join(_words(name)) for name in names if _words(name)}
