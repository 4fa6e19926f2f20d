"""The catalogue: all artifacts by slug, their capabilities numbered."""

import hashlib
import json
import mmap
import re
from bisect import bisect_left
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain, count
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from index.artifact import Artifact, Capability
from index.errors import CatalogError, UnknownArtifactError
from index.names import NameTable

REMEMBERED = 1024
"""Artifacts that are kept parsed, 20 kB each: parsing another takes 0.03 ms."""


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
        slugs = [each.slug for each in ordered]
        if len(set(slugs)) != len(slugs):
            raise CatalogError(["slug: two artifacts share one"])
        sizes = [len(each.capabilities) for each in ordered]
        self._describe(
            slugs,
            [each.type for each in ordered],
            np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)]).astype(np.int64),
            NameTable.of(ordered),
        )
        # A build reads them all for every index: to parse them would take longer.
        self._parsed = ordered

    def _describe(
        self,
        slugs: list[str],
        types: list[str],
        starts: NDArray[np.int64],
        names: NameTable,
    ) -> None:
        self.slugs, self.starts, self.names = slugs, starts, names
        self.types = np.array(types, dtype=np.str_)
        self.owners: NDArray[np.int64] = np.repeat(
            np.arange(len(slugs)), np.diff(starts)
        )
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
        offsets, starts = np.load(folder / "lines.npy")
        catalog = cls.__new__(cls)
        with (folder / "catalog.jsonl").open("rb") as file:
            content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        catalog._lines = _MappedLines(content, offsets)
        catalog._describe(
            table["slugs"], table["types"], starts, NameTable.open(folder)
        )
        return catalog

    def write(self, folder: Path) -> None:
        """Write `catalog.jsonl`, where its lines and capabilities begin, and the names.

        `lines.npy` has the shape (2, artifacts + 1).
        """
        sizes = [len(line) + 1 for line in self._lines]
        with (folder / "catalog.jsonl").open("wb") as file:
            file.writelines(line + b"\n" for line in self._lines)
        offsets = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])
        np.save(folder / "lines.npy", np.stack([offsets, self.starts]))
        table = {"slugs": self.slugs, "types": self.types.tolist()}
        (folder / "catalog.json").write_text(json.dumps(table), encoding="utf-8")
        self.names.write(folder)

    @property
    def digest(self) -> str:
        """SHA-256 over the canonical lines: equal catalogues have equal digests."""
        return digest(self._lines)

    @property
    def capability_count(self) -> int:
        """The number of capabilities of all artifacts."""
        return int(self.starts[-1])

    def position(self, slug: str) -> int:
        """Return an artifact's number; UnknownArtifactError if there is none."""
        place = bisect_left(self.slugs, slug)
        if self.slugs[place : place + 1] != [slug]:
            raise UnknownArtifactError(
                f"no artifact has the slug {slug!r}; search for its name to find it"
            )
        return place

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
        if not isinstance(slug, str):
            return False
        place = bisect_left(self.slugs, slug)
        return self.slugs[place : place + 1] == [slug]

    def __iter__(self) -> Iterator[str]:
        """Yield the slugs in order."""
        return iter(self.slugs)

    def __len__(self) -> int:
        """Return the number of artifacts."""
        return len(self.slugs)


def digest(lines: Iterable[bytes]) -> str:
    """Return the SHA-256 of `lines`, each with its end."""
    total = hashlib.sha256()
    for line in lines:
        total.update(line + b"\n")
    return total.hexdigest()


class _MappedLines(Sequence[bytes]):
    """Lines of a memory-mapped file, read when asked for."""

    def __init__(self, content: mmap.mmap, offsets: NDArray[np.int64]) -> None:
        self._content = content
        self._offsets = offsets

    def __getitem__(self, position: Any) -> Any:
        return self._content[self._offsets[position] : self._offsets[position + 1] - 1]

    def __len__(self) -> int:
        return len(self._offsets) - 1


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
