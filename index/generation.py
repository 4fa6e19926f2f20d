"""Generations: complete, immutable, checksummed builds of all indexes.

Whoever has a generation open holds a shared lock on its file `lock`; nothing that is
locked is removed.
"""

import hashlib
import json
import os
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import portalocker

from index import closeness
from index.adapter import Adapter
from index.catalog import Catalog
from index.claims import Claims
from index.disk import sync
from index.encoder import ExportedEncoder
from index.errors import (
    DamagedError,
    EngineError,
    MismatchError,
    StorageError,
)
from index.keyword import KeywordIndex
from index.mentions import Mentions
from index.phrases import Phrases
from index.scales import Scales
from index.spelling import Spelling
from index.vector import VectorIndex

FORMAT = 5
"""Version of everything a generation holds; another one is refused, never guessed."""

MANIFEST, LOCK = "manifest.json", "lock"

BUILD = "build again with: instead build"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a generation is made of, and the checksum of every file.

    `vectors` is the form of the vector index, with the recall it reaches; `learned`
    tells what its adapter is from, empty if it has none.
    """

    id: str
    format: int
    created: str
    catalog: str
    encoder: dict[str, Any]
    counts: dict[str, int]
    vectors: dict[str, Any]
    files: dict[str, dict[str, Any]]
    learned: dict[str, Any] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """The SHA-256 of all it says, checksums of files included: one generation's."""
        return hashlib.sha256(_json(asdict(self))).hexdigest()

    def dump(self) -> bytes:
        """Return the manifest as canonical JSON that carries its own SHA-256."""
        return _json({**asdict(self), "sha256": self.digest})

    @classmethod
    def parse(cls, raw: bytes) -> "Manifest":
        """Return the manifest that was dumped; ValueError if a byte of it differs.

        Raises MismatchError if it is of another format.
        """
        try:
            content = json.loads(raw)
            claimed = content.pop("sha256")
            intact = hashlib.sha256(_json(content)).hexdigest() == claimed
            if not intact or _json({**content, "sha256": claimed}) != raw:
                raise ValueError("checksum")
            if content["format"] != FORMAT:
                message = f"generation {content['id']} has format {content['format']}"
                raise MismatchError(f"{message}, this version reads {FORMAT}; {BUILD}")
            return cls(**content)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError("is no manifest") from error

    @classmethod
    def load(cls, folder: Path) -> "Manifest":
        """Return the manifest of `folder`; DamagedError if a byte of it differs."""
        try:
            return cls.parse((folder / MANIFEST).read_bytes())
        except (OSError, ValueError) as error:
            raise _damaged(folder, MANIFEST, "is missing or damaged") from error


def _json(content: dict[str, Any]) -> bytes:
    return json.dumps(content, sort_keys=True, indent=1, ensure_ascii=False).encode()


def _damaged(folder: Path, file: str, what: str) -> DamagedError:
    message = f"generation {folder.name} is damaged: {file} {what}"
    return DamagedError(f"{message}; go back with: instead rollback, or {BUILD}")


class Generation:
    """One open generation: every file checked, then its indexes opened."""

    def __init__(self, folder: Path) -> None:
        """Lock, verify and open `folder`; GenerationError if anything is amiss."""
        lock = shared_lock(folder)
        # Whoever forgets to close an engine still lets its generation go.
        self._release = weakref.finalize(self, lock.close)
        try:
            self.folder = folder
            with verifying(folder) as self.manifest:
                self.catalog = Catalog.open(folder)
                self.claims = Claims(folder, self.catalog)
                self.keyword = KeywordIndex(folder / "keyword")
                self.mentions = Mentions(folder, self.catalog)
                self.scales = Scales(folder)
                self.phrases = Phrases(folder)
                self.floor = closeness.read(folder)
                self.adapter = Adapter.open(folder)
                self.spelling = Spelling(folder, self.keyword.has_term)
            # FAISS reads some damaged files without an error, so not before.
            self.vector = VectorIndex(folder, self.manifest.vectors)
        except (EngineError, OSError):
            self._release()
            raise
        except Exception as error:  # whatever a library makes of what it cannot read
            self._release()
            what = f"cannot be read although its checksum holds ({error})"
            raise _damaged(folder, "a file", what) from error

    @property
    def id(self) -> str:
        """The generation's id; ids of later builds sort after it."""
        return self.manifest.id

    def encoder(self) -> ExportedEncoder | None:
        """Return the encoder exported with the generation; None if there is none."""
        folder = self.folder / "encoder"
        return ExportedEncoder(folder) if folder.is_dir() else None

    def close(self) -> None:
        """Let the generation be removed once later ones replace it."""
        self._release()

    def __enter__(self) -> "Generation":
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()


def shared_lock(folder: Path) -> IO[Any]:
    """Return the open file that keeps the generation in `folder` from being removed."""
    try:
        file = (folder / LOCK).open("rb")
    except OSError as error:
        raise _damaged(folder, LOCK, "is missing") from error
    try:
        portalocker.lock(file, portalocker.LOCK_SH | portalocker.LOCK_NB)
    except portalocker.LockException as error:
        file.close()
        message = f"generation {folder.name} is being removed"
        raise StorageError(f"{message}; try again") from error
    return file


@contextmanager
def verifying(folder: Path, begins: tuple[str, ...] = ("",)) -> Iterator[Manifest]:
    """Yield the manifest of `folder`, and check every file while it is being opened.

    Or those of them whose names have one of the beginnings `begins`.

    Raises DamagedError at the end, naming the first file that differs, is missing or
    is cut, whatever else came of that meanwhile.
    """
    manifest = Manifest.load(folder)

    def check(name: str) -> str | None:
        expected = manifest.files[name]
        try:
            if (folder / name).stat().st_size != expected["bytes"]:
                return "is not as long as it was"
            with (folder / name).open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            return "is missing or cannot be read"
        return None if digest == expected["sha256"] else "differs from its checksum"

    with ThreadPoolExecutor(os.cpu_count()) as pool:  # hashing releases the GIL
        names = [name for name in manifest.files if name.startswith(begins)]
        names.sort(key=lambda name: -manifest.files[name]["bytes"])
        problems = pool.map(check, names)
        try:
            yield manifest
        finally:
            for name, problem in zip(names, problems, strict=True):
                if problem:
                    raise _damaged(folder, name, problem)


def verify(folder: Path) -> Manifest:
    """Return the manifest of `folder` once every file matches its checksum.

    Raises DamagedError as `verifying` does.
    """
    with verifying(folder) as manifest:
        return manifest


def seal(folder: Path, id_: str, **content: Any) -> Manifest:
    """Write the manifest of a finished `folder`, and sync every file to the disk."""
    files = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            name = path.relative_to(folder).as_posix()
            files[name] = {"sha256": digest, "bytes": path.stat().st_size}
    manifest = Manifest(id=id_, format=FORMAT, files=files, **content)
    (folder / MANIFEST).write_bytes(manifest.dump())
    (folder / LOCK).touch()
    for path in [*folder.rglob("*"), folder]:
        sync(path)
    return manifest
