"""Catalogues of any size, made of the texts of real ones, with vectors to match.

    python -m bench.corpus OUT FOLDER ... [--capabilities N ...] [--seed S]

Each FOLDER holds a `catalog.jsonl`, and `needs-*.jsonl` if it is a judged set; the
shipped catalogue and our own needs are always among them. For every N (10,000 and
100,000) OUT gets N.jsonl, a catalogue of about N capabilities; N.npy and N.digests.npy,
the vectors of its passages; and home-N, a generation built of the two. OUT/needs.jsonl
are 2,000 distinct needs in a drawn order, OUT/real.npz the vectors of the real
passages, which are encoded once: that takes minutes.

A record is real the first time it is drawn. Drawn again, it gets a new name, and each
of its capabilities is crossed with one of those nearest in meaning: the words of one up
to a point, those of the other from there on. Facts, licence, price and signals stay.
The vector lies between those of the two real passages, where the words do, moved by
noise that is spread like the differences of real neighbours.
"""

import argparse
import hashlib
import json
import random
import re
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from typing import NamedTuple

import faiss
import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from index.artifact import Artifact, Capability
from index.builder import build
from index.encoder import Encoder, Vectors
from index.home import Home
from index.model import find
from index.passage import VIEWS, views
from index.source import parse, read
from web.settings import shipped_catalogue

OWN_NEEDS = Path(__file__).parent / "needs"

SIZES = (10_000, 100_000)

NEEDS, LONGEST = 2000, 500
"""Needs that are drawn, and the characters of the longest that the API takes."""

NEIGHBOURS = 8
"""Nearest capabilities of which one is crossed with a record's own."""

GIVEN = 0.7
"""The share of words that a crossed capability has from another at most."""

NOISE, VIEW = 0.45, 0.3
"""Mean lengths of the noise of a capability and of each of its views, beside vectors of
length 1: two views have a cosine of .92 then, as real ones have."""

READ = 24
"""The first words of a real passage, which are encoded: the vectors are to be spread
like real ones, they need not tell all."""

BATCH = 2048
"""Capabilities that are crossed, and passages that are encoded, at a time."""

Key = NDArray[np.uint64]


class Cross(NamedTuple):
    """A capability's two parents among the real ones, and its share of the second."""

    own: int
    other: int
    share: float


@dataclass(frozen=True, slots=True)
class Real:
    """The records of real catalogues, and the vectors of their capabilities.

    `firsts` is the number of each record's first capability; `vectors` has the shape
    (capabilities, width), `nearest` the shape (capabilities, NEIGHBOURS).
    """

    catalogs: list[list[Artifact]]
    firsts: list[list[int]]
    capabilities: list[Capability]
    vectors: NDArray[np.float32]
    nearest: NDArray[np.int64]

    @classmethod
    def load(cls, paths: Sequence[Path], encoder: Encoder, cache: Path) -> "Real":
        """Return what the catalogues at `paths` hold; records with faults are left out.

        Vectors are read from `cache`, which is written where it is not of these texts.
        """
        catalogs = [[entry.artifact for entry in parse([path])[0]] for path in paths]
        capabilities: list[Capability] = []
        firsts: list[list[int]] = []
        texts: list[str] = []
        for catalog in catalogs:
            firsts.append([])
            for artifact in catalog:
                firsts[-1].append(len(capabilities))
                capabilities += artifact.capabilities
                for each in artifact.capabilities:
                    passage = views(artifact, each)[-1]
                    texts.append(" ".join(passage.split()[:READ]))
        vectors = _encoded(texts, encoder, cache)
        index = faiss.IndexFlatIP(vectors.shape[1])
        index.add(vectors)
        _, nearest = index.search(vectors, NEIGHBOURS + 1)
        return cls(catalogs, firsts, capabilities, vectors, nearest[:, 1:])

    def draw(self, size: int, seed: int) -> Iterator[tuple[Artifact, list[Cross]]]:
        """Yield records with distinct slugs until they have `size` capabilities.

        Each catalogue is drawn from equally often, and each of its records once before
        any is drawn again.
        """
        chance = random.Random(seed)
        orders = [chance.sample(range(len(each)), len(each)) for each in self.catalogs]
        names = [each.name for catalog in self.catalogs for each in catalog]
        drawn = [0] * len(orders)
        taken: set[str] = set()
        while size > 0:
            number = chance.randrange(len(orders))
            again, place = divmod(drawn[number], len(orders[number]))
            drawn[number] += 1
            record = orders[number][place]
            artifact = self.catalogs[number][record]
            first = self.firsts[number][record]
            rows = range(first, first + len(artifact.capabilities))
            crosses = [Cross(row, row, 0.0) for row in rows]
            if again:
                crosses = [self._cross(row, chance) for row in rows]
                name = coined(chance.choice(names), chance.choice(names), chance)
                artifact = self._recombined(artifact, crosses, name)
            numbered = (f"{artifact.slug}--{each}" for each in count(2))
            slugs = chain([artifact.slug], numbered)
            slug = next(each for each in slugs if each not in taken)
            taken.add(slug)
            size -= len(crosses)
            yield artifact.model_copy(update={"slug": slug}), crosses

    def _cross(self, row: int, chance: random.Random) -> Cross:
        other = int(self.nearest[row, chance.randrange(NEIGHBOURS)])
        return Cross(row, other, chance.uniform(0, GIVEN))

    def _recombined(
        self, artifact: Artifact, crosses: list[Cross], name: str
    ) -> Artifact:
        """Return `artifact` under another name, its capabilities crossed."""
        capabilities = []
        for each in crosses:
            own, other = self.capabilities[each.own], self.capabilities[each.other]
            changed = {
                "id": None,
                "name": spliced(own.name, other.name, each.share),
                "description": spliced(own.description, other.description, each.share),
            }
            capabilities.append(own.model_copy(update=changed))
        slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:150]
        return artifact.model_copy(
            update={
                "name": name,
                "slug": slug or "unnamed",
                "family": None,
                "url": None,
                "repository": None,
                "capabilities": tuple(capabilities),
            }
        )

    def spread(self) -> NDArray[np.float32]:
        """Return what turns independent noise into such as parts real neighbours.

        Shape (width, width); of mean length 1.
        """
        apart = self.vectors[self.nearest[:, 0]] - self.vectors
        values, axes = np.linalg.eigh(np.cov(apart.T))
        scales = np.sqrt(values.clip(0) / values.clip(0).sum())
        spread: NDArray[np.float32] = (axes * scales).T.astype(np.float32)
        return spread

    def cross_vectors(
        self,
        crosses: Sequence[Cross],
        spread: NDArray[np.float32],
        chance: np.random.Generator,
    ) -> NDArray[np.float32]:
        """Return the vectors of crossed capabilities, shape (VIEWS, crosses, width)."""
        own = np.array([each.own for each in crosses])
        other = np.array([each.other for each in crosses])
        share = np.array([[each.share] for each in crosses], dtype=np.float32)
        between = (1 - share) * self.vectors[own] + share * self.vectors[other]
        shape = (1 + VIEWS, *between.shape)
        noise = chance.standard_normal(shape, dtype=np.float32) @ spread
        moved = unit(unit(between) + NOISE * noise[0])
        return unit(moved + VIEW * noise[1:])


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return `vectors` at length 1."""
    scaled: NDArray[np.float32] = vectors / np.linalg.norm(
        vectors, axis=-1, keepdims=True
    )
    return scaled


def coined(one: str, another: str, chance: random.Random) -> str:
    """Return a new name: that of `one`, its last word ending like `another`."""
    *words, head = one.split()
    tail = another.split()[-1]
    word = head[: chance.randint(2, 6)] + tail[-chance.randint(2, 6) :]
    return " ".join([*words, word])


def spliced(own: str, other: str, share: float) -> str:
    """Return the first words of `own` and the last `share` of those of `other`."""
    first, last = own.split(), other.split()
    kept = max(1, round(len(first) * (1 - share)))
    return " ".join(first[:kept] + last[len(last) - round(len(last) * share) :])


def _encoded(texts: Sequence[str], encoder: Encoder, cache: Path) -> Vectors:
    """Return the vectors of `texts`; all that were ever encoded are in `cache`."""
    known: dict[int, NDArray[np.float32]] = {}
    if cache.exists():
        with np.load(cache) as kept:
            known.update(zip(kept["keys"].tolist(), kept["vectors"], strict=True))
    by_key = dict(zip(keys_of(texts).tolist(), texts, strict=True))
    missing = sorted(by_key.keys() - known.keys(), key=lambda key: len(by_key[key]))
    for start in range(0, len(missing), BATCH):
        batch = missing[start : start + BATCH]
        rows = encoder.encode_passages([by_key[key] for key in batch])
        known.update(zip(batch, rows, strict=True))
        kept_keys = np.array(list(known), dtype=np.uint64)
        np.savez(cache, keys=kept_keys, vectors=np.stack(list(known.values())))
        _say(f"encoded {start + len(batch):,} of {len(missing):,} real passages")
    return np.stack([known[key] for key in keys_of(texts).tolist()])


def write(real: Real, size: int, seed: int, out: Path) -> None:
    """Write `size`.jsonl and the vectors of its passages to `out`, piece by piece."""
    spread, chance = real.spread(), np.random.default_rng(seed)
    most = size + max(
        len(each.capabilities) for found in real.catalogs for each in found
    )
    width = real.vectors.shape[1]
    vectors = open_memmap(
        out / f"{size}.npy", "w+", dtype=np.float32, shape=(VIEWS * most, width)
    )
    keys: list[Key] = []
    waiting: list[tuple[tuple[str, str], Cross]] = []
    done = 0

    def flush() -> None:
        nonlocal done
        made = real.cross_vectors([cross for _, cross in waiting], spread, chance)
        vectors[done : done + VIEWS * len(waiting)] = made.reshape(-1, width)
        keys.append(
            keys_of([pair[view] for view in range(VIEWS) for pair, _ in waiting])
        )
        done += VIEWS * len(waiting)
        waiting.clear()

    with (out / f"{size}.jsonl").open("w", encoding="utf-8") as file:
        for artifact, crosses in real.draw(size, seed):
            file.write(artifact.model_dump_json(exclude_defaults=True) + "\n")
            pairs = [views(artifact, each) for each in artifact.capabilities]
            waiting += zip(pairs, crosses, strict=True)
            if len(waiting) >= BATCH:
                flush()
    flush()
    vectors.flush()
    np.save(out / f"{size}.digests.npy", np.concatenate(keys))


def keys_of(texts: Sequence[str]) -> Key:
    """Return the first eight bytes of each text's SHA-256."""
    joined = b"".join(hashlib.sha256(text.encode()).digest()[:8] for text in texts)
    return np.frombuffer(joined, dtype=np.uint64)


class GivenEncoder:
    """An encoder whose passages have vectors already; the rest is the real one's."""

    def __init__(self, real: Encoder, out: Path, size: int) -> None:
        """Look up what `write` left in `out`."""
        self._real, self._out, self._size = real, out, size
        self._vectors = np.load(out / f"{size}.npy", mmap_mode="r")
        keys = np.load(out / f"{size}.digests.npy")
        self._order = np.argsort(keys, kind="stable")
        self._keys = keys[self._order]
        self.name = real.name
        self.digest = real.digest
        self.encode_need = real.encode_need
        self.is_word = real.is_word
        self.export = real.export

    def __reduce__(self) -> tuple[type["GivenEncoder"], tuple[Encoder, Path, int]]:
        return GivenEncoder, (self._real, self._out, self._size)

    def encode_passages(self, texts: Sequence[str]) -> Vectors:
        """Return the given vectors of passages; equal texts have the first's."""
        wanted = keys_of(texts)
        places = np.searchsorted(self._keys, wanted).clip(max=len(self._keys) - 1)
        assert (self._keys[places] == wanted).all(), "a passage is not of this corpus"
        found: Vectors = self._vectors[self._order[places]]
        return found


def needs(folders: Sequence[Path], seed: int) -> list[str]:
    """Return NEEDS distinct needs of judged sets and our own, in a drawn order."""
    paths = [path for each in folders for path in sorted(each.glob("needs*.jsonl"))]
    texts = [
        json.loads(line)["text"]
        for path in paths
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    fitting = sorted({text for text in texts if 2 <= len(text) <= LONGEST})
    return random.Random(seed).sample(fitting, min(NEEDS, len(fitting)))


def _say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def main() -> None:
    """Write the catalogues, vectors, homes and needs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--capabilities", nargs="+", type=int, default=SIZES)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    out: Path = given.out
    out.mkdir(parents=True, exist_ok=True)
    drawn = needs([*given.folders, OWN_NEEDS], given.seed)
    lines = (json.dumps({"text": text}, ensure_ascii=False) for text in drawn)
    (out / "needs.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    # What bench/speed.py made of another corpus here is of no use any more.
    (out / "needs.npy").unlink(missing_ok=True)
    encoder = find()
    paths = [each / "catalog.jsonl" for each in given.folders]
    real = Real.load([*paths, shipped_catalogue()], encoder, out / "real.npz")
    for size in given.capabilities:
        shutil.rmtree(out / f"peers-{size}", ignore_errors=True)
        write(real, size, given.seed, out)
        _say(f"drew {size:,} capabilities")
        catalog = read([out / f"{size}.jsonl"])
        home = Home(out / f"home-{size}")
        build(catalog, GivenEncoder(encoder, out, size), home)
        _say(f"built {home.path}")


if __name__ == "__main__":
    main()
