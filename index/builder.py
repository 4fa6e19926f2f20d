"""The offline build: a catalogue becomes a generation, and the home switches."""

import gc
import logging
import shutil
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from index import (
    claims,
    closeness,
    mentions,
    passage,
    phrases,
    postings,
    scales,
    spelling,
    vector,
)
from index.adapter import FILE, Adapter
from index.catalog import Catalog
from index.encoder import Encoder, ExportedEncoder, NeedEncoder, Vectors
from index.errors import DamagedError, GenerationError, MismatchError
from index.generation import LOCK, MANIFEST, Generation, Manifest, seal, verify
from index.home import Home, storage_error
from index.shards import Shard, cut
from index.workers import HERE, Workers

logger = logging.getLogger(__name__)

BATCH = 512
"""Passages encoded between two reports; sorted by length, so that none pads another."""

FEW = 4
"""Batches that are encoded here: elsewhere the model is to be loaded first."""

PASSAGES = "passages.npy"


class Progress(Protocol):
    """Told what a build is at, stage by stage."""

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Report that `done` of `total` units of `stage` are finished."""
        ...


def silent(stage: str, done: int, total: int) -> None:
    """Report nothing."""


def build(
    catalog: Catalog,
    encoder: Encoder,
    home: Home,
    progress: Progress = silent,
    workers: Workers = HERE,
) -> Manifest:
    """Return the manifest of a new generation of `catalog`, published in `home`.

    Passages that a kept generation of the same encoder holds are not encoded again.
    What is built is the same whoever the `workers` are. Raises StorageError when the
    disk refuses, WorkerError when they are killed; the generation in use then stays.
    """
    started = time.monotonic()
    try:
        with home.locked():
            id_, folder = home.stage()
            try:
                with workers:
                    counts, form = _write(
                        catalog, encoder, home, folder, progress, workers
                    )
                learned = _keep_adapter(encoder, home, folder)
                manifest = seal(
                    folder,
                    id_,
                    created=datetime.now(UTC).isoformat(timespec="seconds"),
                    catalog=catalog.digest,
                    encoder={
                        "name": encoder.name,
                        "digest": encoder.digest,
                        "exported": (folder / "encoder").is_dir(),
                    },
                    counts=counts,
                    vectors=form,
                    learned=learned,
                )
                read_back(folder)
                home.publish(folder)
            finally:
                shutil.rmtree(folder, ignore_errors=True)
    except OSError as error:
        raise storage_error(home.path, error) from error
    logger.info("built id=%s seconds=%.1f", id_, time.monotonic() - started)
    return manifest


def adapt(home: Home, adapter: Adapter | None, learned: Mapping[str, Any]) -> Manifest:
    """Return the manifest of a new generation, the one in use with another adapter.

    `learned` says what the adapter is from; with None there is none any more. Raises
    StorageError when the disk refuses.
    """
    try:
        with home.locked(), home.open() as used:
            id_, folder = home.stage()
            try:
                ignored = shutil.ignore_patterns(MANIFEST, LOCK, FILE)
                shutil.copytree(used.folder, folder, ignore=ignored, dirs_exist_ok=True)
                if adapter:
                    adapter.write(folder)
                old = used.manifest
                manifest = seal(
                    folder,
                    id_,
                    created=datetime.now(UTC).isoformat(timespec="seconds"),
                    catalog=old.catalog,
                    encoder=old.encoder,
                    counts=old.counts,
                    vectors=old.vectors,
                    learned=dict(learned),
                )
                read_back(folder)
                home.publish(folder)
            finally:
                shutil.rmtree(folder, ignore_errors=True)
    except OSError as error:
        raise storage_error(home.path, error) from error
    return manifest


def unlearn(home: Home) -> None:
    """Leave no adapter in any generation: one without it is switched to, if need be.

    The others are removed, or stay until whoever has them open lets go.
    """
    learned = [each for each in home.ids() if (home.folder(each) / FILE).exists()]
    if home.current() in learned:
        adapt(home, None, {})
    home.remove(learned)


@dataclass(frozen=True, slots=True)
class _Part:
    """What the indexes hold of a shard."""

    size: int
    keywords: postings.Part
    words: Counter[str]
    claims: claims.Part
    mentions: set[mentions.Mention]


def _part(shard: Shard, names: mentions.Names, today: date) -> _Part:
    """Return what a shard of a catalogue with `names` is on a day: pure, so anybody's.

    That is all that takes time; to join the parts is little.
    """
    return _Part(
        shard.size,
        postings.part(shard),
        spelling.part(shard),
        claims.part(shard, today),
        mentions.part(shard, names),
    )


def _write(
    catalog: Catalog,
    encoder: Encoder,
    home: Home,
    folder: Path,
    progress: Progress,
    workers: Workers,
) -> tuple[dict[str, int], dict[str, Any]]:
    """Write all indexes to `folder`; return what is counted, and the vectors' form."""
    catalog.write(folder)
    total = catalog.capability_count
    today = datetime.now(UTC).date()
    work = partial(_part, names=mentions.Names(catalog), today=today)
    outputs = workers.map(work, cut(catalog))  # others begin at once
    kept = _kept(encoder, home)
    progress("encoder", 0, 1)
    _export(encoder, kept, folder / "encoder")
    need_encoder: NeedEncoder = encoder
    if (folder / "encoder").is_dir():
        need_encoder = ExportedEncoder(folder / "encoder")
    progress("encoder", 1, 1)
    parts: list[_Part] = []
    progress("index", 0, total)
    for each in outputs:
        parts.append(each)
        progress("index", sum(own.size for own in parts), total)
    progress("joined", 0, 1)
    (folder / "keyword").mkdir()
    terms = postings.join([each.keywords for each in parts], folder / "keyword")
    spelling.join([each.words for each in parts], folder)
    claims.join([each.claims for each in parts], folder)
    # Asked of the exported one, which a rebuild has without loading a model.
    mentions.join(
        [each.mentions for each in parts],
        catalog,
        [each.size for each in parts],
        need_encoder.is_word,
        folder,
    )
    phrases.build(catalog, folder)
    scales.build(catalog, folder)
    progress("joined", 1, 1)
    passages = passage.passages(catalog)
    digests = passage.digests(passages)
    np.save(folder / PASSAGES, digests)
    vectors, encoded = _vectors(passages, digests, encoder, kept, progress, workers)
    progress("vectors", 0, 1)
    form = _index_vectors(vectors, closeness.needs(catalog, need_encoder), folder)
    progress("vectors", 1, 1)
    counts = {
        "artifacts": len(catalog),
        "capabilities": total,
        "terms": terms,
        "passages": passage.VIEWS * total,
        "encoded": encoded,
    }
    return counts, form


def _index_vectors(vectors: Vectors, needs: Vectors, folder: Path) -> dict[str, Any]:
    """Index `vectors`, measured by the `needs` that they answer; return the form."""
    intents = len(needs)
    if not intents:  # then by what is like a capability
        needs = vectors[:: max(1, len(vectors) // closeness.SAMPLE)]
    near = vector.nearest(needs, vectors)
    closeness.build(near.cosines[:intents, 0], folder)
    return vector.build(vectors, needs, near, folder)


def read_back(folder: Path) -> None:
    """Open what was written; OSError if that does not go.

    Some libraries lose what the disk says when they close a file, and the checksums are
    those of what lies there, so this alone tells that it is not what was meant.
    """
    try:
        Generation(folder).close()
    except DamagedError as error:
        raise OSError(None, "what was written cannot be read back") from error
    finally:
        gc.collect()  # lets go of mapped files: Windows moves no folder that has some


def _keep_adapter(encoder: Encoder, home: Home, folder: Path) -> dict[str, Any]:
    """Copy what the generation in use has learned, if its encoder is the same."""
    try:
        with home.open() as used:
            manifest = used.manifest
            if used.adapter and manifest.encoder["digest"] == encoder.digest:
                used.adapter.write(folder)
                return manifest.learned
    except GenerationError as error:
        logger.info("nothing learned is kept: %s", error)
    return {}


def _kept(encoder: Encoder, home: Home) -> list[Path]:
    """Return the sound generations of the same encoder, the newest first."""
    sound = []
    for id_ in reversed(home.ids()):
        try:
            manifest = verify(home.folder(id_))
        except (DamagedError, MismatchError) as error:
            logger.warning("not reused: %s", error)
            continue
        if manifest.encoder["digest"] == encoder.digest:
            sound.append(home.folder(id_))
    return sound


def _vectors(
    passages: list[tuple[str, str]],
    digests: NDArray[np.void],
    encoder: Encoder,
    kept: list[Path],
    progress: Progress,
    workers: Workers,
) -> tuple[Vectors, int]:
    """Return a vector for each capability, and how many passages had to be encoded.

    It is the mean of the unit vectors of its views.
    """
    known: dict[bytes, NDArray[np.float32]] = {}
    for folder in kept:
        vectors = np.load(folder / vector.VECTORS, mmap_mode="r")
        for key, row in zip(np.load(folder / PASSAGES).tolist(), vectors, strict=True):
            known.setdefault(key, row)
    keys = digests.tolist()
    missing = dict(zip(keys, passages, strict=True))
    for key in known.keys() & missing.keys():
        del missing[key]
    texts = sorted({text for views in missing.values() for text in views}, key=_size)
    progress("passages", 0, len(texts))
    batches = [texts[at : at + BATCH] for at in range(0, len(texts), BATCH)]
    encoded: list[Vectors] = []
    who = workers if len(batches) > FEW else HERE
    for each in who.map(encoder.encode_passages, batches):
        encoded.append(each)
        progress("passages", sum(map(len, encoded)), len(texts))
    if texts:
        rows = np.concatenate(encoded)
        place = {text: row for row, text in enumerate(texts)}
        own = np.array([[place[text] for text in views] for views in missing.values()])
        known |= zip(missing, rows[own].mean(axis=1), strict=True)
    return np.stack([known[key] for key in keys]), len(texts)


def _size(text: str) -> tuple[int, str]:
    return len(text), text


def _export(encoder: Encoder, kept: list[Path], folder: Path) -> None:
    """Put the exported encoder into `folder`, from a kept generation if one has it."""
    for generation in kept:
        if (generation / "encoder").is_dir():
            shutil.copytree(generation / "encoder", folder)
            return
    encoder.export(folder)
