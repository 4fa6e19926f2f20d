"""The catalogue: all artifacts by slug, their capabilities numbered."""

import hashlib
import json
import mmap
import re
from bisect import bisect_left
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from itertools import chain, count
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from index.artifact import Artifact, Capability
from index.errors import CatalogError, UnknownArtifactError

OWNED = 2
"""Parts of a path that is an owner and a name, as code and model hosts have them."""

TELLING = 5
"""Letters from which on the beginning of a word tells a name."""

REMEMBERED = 1024
"""Artifacts that are kept parsed, 20 kB each: parsing another takes 0.03 ms."""

CALLED = 12
"""Artifacts at most that a part of a name may mean; "mcp" is part of hundreds."""


class Catalog(Mapping[str, Artifact]):
    """All artifacts by slug, in slug order; capabilities are numbered in that order.

    A catalogue is its canonical JSON lines. Artifacts are parsed when asked for, so
    that an open generation of a million capabilities costs no start-up time.
    """

    _parsed: Sequence[Artifact] = ()

    def __init__(self, artifacts: Iterable[Artifact]) -> None:
        """Hold `artifacts`, whose slugs must differ; their order does not matter."""
        ordered = sorted(map(_identified, artifacts), key=lambda each: each.slug)
        self._lines: Sequence[bytes] = [_canonical(each) for each in ordered]
        self._describe(
            slugs=[each.slug for each in ordered],
            types=[each.type for each in ordered],
            sizes=[len(each.capabilities) for each in ordered],
            names=[sorted(_names(each)) for each in ordered],
        )
        # A build reads them all for every index: to parse them would take longer.
        self._parsed = ordered

    def _describe(
        self,
        slugs: list[str],
        types: list[str],
        sizes: list[int],
        names: list[list[str]],
    ) -> None:
        self.slugs = slugs
        self._names = names
        self.types = np.array(types, dtype=np.str_)
        self.starts: NDArray[np.int64] = np.concatenate(
            [[0], np.cumsum(sizes, dtype=np.int64)]
        ).astype(np.int64)
        self.owners: NDArray[np.int64] = np.repeat(np.arange(len(slugs)), sizes)
        self._positions = {slug: position for position, slug in enumerate(slugs)}
        self._by_name: dict[str, list[int]] = {}
        for position, own in enumerate(names):
            for name in own:
                self._by_name.setdefault(name.replace(" ", ""), []).append(position)
        self._in_order = sorted(
            (name, position) for position, own in enumerate(names) for name in own
        )
        if len(self._positions) != len(slugs):
            raise CatalogError(["slug: two artifacts share one"])
        self._remembered = lru_cache(maxsize=REMEMBERED)(self._parse)

    def at(self, position: int) -> Artifact:
        """Return the artifact numbered `position`, from 0 to the number of them - 1."""
        return self._parsed[position] if self._parsed else self._remembered(position)

    def lines(self, first: int, end: int) -> list[bytes]:
        """Return the canonical lines of the artifacts from `first` to before `end`."""
        return [self._lines[position] for position in range(first, end)]

    def _parse(self, position: int) -> Artifact:
        return Artifact.model_validate_json(self._lines[position])

    @classmethod
    def open(cls, folder: Path) -> "Catalog":
        """Return the catalogue that `write` left in `folder`."""
        table = json.loads((folder / "catalog.json").read_bytes())
        catalog = cls.__new__(cls)
        with (folder / "catalog.jsonl").open("rb") as file:
            content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        catalog._lines = _MappedLines(content, table["offsets"])
        catalog._describe(
            table["slugs"], table["types"], table["capabilities"], table["names"]
        )
        return catalog

    def write(self, folder: Path) -> None:
        """Write `catalog.jsonl`, and `catalog.json` that says where each line is."""
        sizes = [len(line) + 1 for line in self._lines]
        with (folder / "catalog.jsonl").open("wb") as file:
            file.writelines(line + b"\n" for line in self._lines)
        table = {
            "slugs": self.slugs,
            "types": self.types.tolist(),
            "capabilities": np.diff(self.starts).tolist(),
            "names": self._names,
            "offsets": np.concatenate([[0], np.cumsum(sizes)]).tolist(),
        }
        (folder / "catalog.json").write_text(json.dumps(table), encoding="utf-8")

    @property
    def digest(self) -> str:
        """SHA-256 over the canonical lines: equal catalogues have equal digests."""
        total = hashlib.sha256()
        for line in self._lines:
            total.update(line + b"\n")
        return total.hexdigest()

    @property
    def capability_count(self) -> int:
        """The number of capabilities of all artifacts."""
        return int(self.starts[-1])

    def position(self, slug: str) -> int:
        """Return an artifact's number; UnknownArtifactError if there is none."""
        try:
            return self._positions[slug]
        except KeyError:
            raise UnknownArtifactError(
                f"no artifact has the slug {slug!r}; search for its name to find it"
            ) from None

    def named(self, text: str) -> NDArray[np.int64]:
        """Return the numbers of the artifacts whose name or identifier `text` is.

        Case, spaces and punctuation do not count; a name may be given with its owner,
        as in addresses. Ascending; empty if `text` names nothing.
        """
        plain = "".join(_words(text))
        return np.array(self._by_name.get(plain, []), dtype=np.int64)

    def named_like(self, text: str) -> NDArray[np.int64]:
        """Return the numbers of the artifacts with a name that begins with `text`.

        Whole words count: "postgres mcp" begins "Postgres MCP Pro". Ascending.
        """
        start = " ".join(_words(text)) + " "
        place = bisect_left(self._in_order, (start, -1))
        like = set()
        while place < len(self._in_order):
            name, position = self._in_order[place]
            if not name.startswith(start):
                break
            like.add(position)
            place += 1
        return np.array(sorted(like), dtype=np.int64)

    def called(self, text: str) -> NDArray[np.int64]:
        """Return the numbers of the artifacts that `text` may mean, ascending.

        Those it names; else those with a name that begins with it; else those with a
        name that it is a part of, unless these are too many for a name.
        """
        for found in (self.named(text), self.named_like(text)):
            if len(found):
                return found
        words = _words(text)
        among = self._named_with(words)
        return np.array(among if len(among) <= CALLED else [], dtype=np.int64)

    def containing(self, text: str) -> NDArray[np.int64]:
        """Return the numbers of the artifacts with `text` in a name, ascending.

        The last word may be the beginning of one, if it is long enough to tell.
        """
        words = _words(text)
        if not words:
            return np.zeros(0, dtype=np.int64)
        part = f" {' '.join(words)}"
        ends = "" if len(words[-1]) >= TELLING else " "
        found = {
            position for name, position in self._in_order if part + ends in f" {name} "
        }
        return np.array(sorted(found), dtype=np.int64)

    def names_with(self, word: str) -> int:
        """Return how many artifacts have `word` in a name."""
        return len({position for _, position in self._words_of_names.get(word, ())})

    def _named_with(self, words: list[str]) -> list[int]:
        names = self._words_of_names
        rare = min((names.get(word, set()) for word in words), key=len, default=set())
        part = f" {' '.join(words)} "
        found = {position for name, position in rare if part in f" {name} "}
        if not found:  # AUTOMATIC1111 web UI is AUTOMATIC1111's Stable Diffusion web UI
            found = {each for name, each in rare if set(words) <= set(name.split())}
        return sorted(found)

    @cached_property
    def _words_of_names(self) -> dict[str, set[tuple[str, int]]]:
        found: dict[str, set[tuple[str, int]]] = {}
        for name, position in self._in_order:
            for word in name.split():
                found.setdefault(word, set()).add((name, position))
        return found

    def rows(self, positions: Iterable[int]) -> NDArray[np.int64]:
        """Return the numbers of the capabilities of the artifacts at `positions`."""
        starts = self.starts
        own = [np.arange(starts[each], starts[each + 1]) for each in positions]
        return np.concatenate([*own, np.zeros(0, dtype=np.int64)])

    def capability(self, row: int) -> Capability:
        """Return the capability numbered `row`, from 0 to capability_count - 1."""
        owner = int(self.owners[row])
        return self.at(owner).capabilities[row - int(self.starts[owner])]

    def __getitem__(self, slug: str) -> Artifact:
        """Return the artifact; UnknownArtifactError if there is none."""
        return self.at(self.position(slug))

    def __contains__(self, slug: object) -> bool:
        """Tell whether an artifact has this slug."""
        return slug in self._positions

    def __iter__(self) -> Iterator[str]:
        """Yield the slugs in order."""
        return iter(self.slugs)

    def __len__(self) -> int:
        """Return the number of artifacts."""
        return len(self.slugs)


class _MappedLines(Sequence[bytes]):
    """Lines of a memory-mapped file, read when asked for."""

    def __init__(self, content: mmap.mmap, offsets: list[int]) -> None:
        self._content = content
        self._offsets = offsets

    def __getitem__(self, position: Any) -> Any:
        return self._content[self._offsets[position] : self._offsets[position + 1] - 1]

    def __len__(self) -> int:
        return len(self._offsets) - 1


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.casefold())


def _names(artifact: Artifact) -> set[str]:
    """Return the words of each name: its own, its slug, and each with its owner."""
    names = [artifact.slug, artifact.name, f"{artifact.provider} {artifact.name}"]
    for address in (artifact.url, artifact.repository):
        path = (address or "").partition("://")[2].partition("/")[2]
        owned = path.strip("/").split("/")[:2]
        if len(owned) == OWNED and _words(artifact.name) == _words(owned[1]):
            names.append(" ".join(owned))
    return {" ".join(_words(name)) for name in names if _words(name)}


def _identified(artifact: Artifact) -> Artifact:
    """Return `artifact` with an id for every capability, made of its name if absent."""
    if all(each.id for each in artifact.capabilities):
        return artifact
    taken = {each.id for each in artifact.capabilities if each.id}
    capabilities = []
    for each in artifact.capabilities:
        name = each.id or _unused(each.name, taken)
        taken.add(name)
        capabilities.append(each.model_copy(update={"id": name}))
    return artifact.model_copy(update={"capabilities": tuple(capabilities)})


def _unused(name: str, taken: Container[str | None]) -> str:
    stem = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:60] or "capability"
    numbered = (f"{stem}-{number}" for number in count(2))
    return next(each for each in chain([stem], numbered) if each not in taken)


def _canonical(artifact: Artifact) -> bytes:
    return artifact.model_dump_json(exclude_defaults=True).encode()
