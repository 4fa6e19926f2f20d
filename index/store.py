"""The store: generations where many machines find them, a folder or an object store.

    files/<sha256>        a file of one generation, or of several
    manifests/<sha256>    what a generation is made of, by its own checksum: its digest
    generations/<id>      the digest of the generation with this id
    CURRENT               the digest of the one in use

Nothing but CURRENT ever changes. What is named is there before its name, so whoever
reads meanwhile, or after a push that was killed, finds what there was before.
"""

import hashlib
import re
import shutil
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from index.builder import Progress, read_back, silent
from index.disk import sync
from index.errors import (
    DamagedError,
    EngineError,
    GenerationError,
    MismatchError,
    NoGenerationError,
    SettingError,
    StoreError,
    told,
)
from index.generation import BUILD, LOCK, MANIFEST, Generation, Manifest, verify
from index.home import CURRENT, Home, storage_error

BLOCK = 8 * 1024 * 1024
"""Bytes that are asked for at once."""

DIGEST = re.compile(r"[0-9a-f]{64}")

DRIVER = "'instead[s3]'"
"""What brings S3."""

AGAIN = "push it again where it was built"


class Moved(NamedTuple):
    """A generation that was pushed or pulled, and how much of it had to travel."""

    manifest: Manifest
    files: int
    bytes: int


class Store:
    """Generations at one address; safe to use from several machines at once."""

    def __init__(self, url: str) -> None:
        """Name the folder, or `s3://bucket/prefix`; nothing need be there yet.

        What else fsspec knows will do as well. Credentials are those of its backend,
        from the environment. Raises SettingError if `url` is no such address.
        """
        self.url = told(url)
        try:
            self._fs, root = url_to_fs(
                url, use_listings_cache=False, skip_instance_cache=True
            )
        except ImportError as error:
            needed = DRIVER if url.startswith("s3") else f"what brings {error.name}"
            message = f"the store {self.url} needs {error.name or 'a driver'}"
            raise SettingError(
                f"{message}; install it with: pip install {needed}"
            ) from error
        except (ValueError, TypeError) as error:
            message = f"{self.url!r} is no address of a store"
            raise SettingError(
                f"{message}; give a folder, or s3://bucket/prefix"
            ) from error
        self._root = root.rstrip("/")
        if not self._root:
            message = f"{self.url!r} names no folder or bucket"
            raise SettingError(f"{message}; give a folder, or s3://bucket/prefix")

    def current(self) -> str:
        """Return the digest of the generation in use.

        Raises NoGenerationError if nothing was pushed yet, StoreError if the store is
        out of reach or its pointer damaged.
        """
        try:
            return self._digest(CURRENT)
        except FileNotFoundError as error:
            message = f"there is no generation in {self.url} yet"
            raise NoGenerationError(
                f"{message}; put one there with: instead push {self.url}"
            ) from error

    def is_used(self, home: Home) -> bool:
        """Tell whether `home` uses what is in use here; raises what `current` does."""
        digest = self.current()
        try:
            used = home.current()
            return bool(used) and Manifest.load(home.folder(str(used))).digest == digest
        except GenerationError:
            return False

    def push(self, home: Home, progress: Progress = silent) -> Moved:
        """Send what the store lacks of the generation in use in `home`, and name it.

        Raises GenerationError if there is none or it is damaged, StoreError if the
        store is out of reach, or has another generation of its id.
        """
        id_ = home.current()
        if id_ is None:
            message = f"nothing has been built under {home.path} yet"
            raise NoGenerationError(f"{message}; {BUILD}")
        with Generation(home.folder(id_)) as used:  # sound, and not removed meanwhile
            manifest = used.manifest
            self._refuse_another(manifest)
            missing = {
                each["sha256"]: (used.folder / name, each["bytes"])
                for name, each in manifest.files.items()
                if not self._has(_file(each["sha256"]), each["bytes"])
            }
            total, sent = sum(size for _, size in missing.values()), 0
            progress("bytes", 0, total)
            for sha256, (path, size) in missing.items():
                self._put(_file(sha256), path)
                sent += size
                progress("bytes", sent, total)
        digest = manifest.digest
        self._put(f"manifests/{digest}", manifest.dump())
        self._put(f"generations/{id_}", digest.encode())
        self._put(CURRENT, digest.encode())
        return Moved(manifest, len(missing), total)

    def pull(
        self, home: Home, digest: str | None = None, progress: Progress = silent
    ) -> Moved:
        """Switch `home` to the generation `digest`, by default to the one in use.

        It keeps its id. What no generation in `home` holds is fetched; each file is
        verified, and all of them are opened, before the switch. Raises
        NoGenerationError if the store has no such generation, StoreError if it is out
        of reach, an object is missing or damaged, or `home` has another generation of
        that id; StorageError when the disk refuses. What was in use then stays.
        """
        manifest = self._manifest(digest or self.current())
        fetched = Moved(manifest, 0, 0)
        try:
            with home.locked():
                if not self._is_there(home, manifest):
                    fetched = self._fetch(home, manifest, progress)
                elif home.current() != manifest.id:
                    home.switch(manifest.id)
        except OSError as error:
            raise storage_error(home.path, error) from error
        return fetched

    def _manifest(self, digest: str) -> Manifest:
        """Return the manifest with that digest, which names nothing but what it may."""
        if not DIGEST.fullmatch(digest):
            message = f"{digest!r} is no digest of a generation: 64 hexadecimal digits"
            raise SettingError(f"{message}, as instead push tells them")
        name = f"manifests/{digest}"
        try:
            manifest = Manifest.parse(b"".join(self._blocks(name)))
            if manifest.digest != digest or not _harmless(manifest):
                raise ValueError("is of something else")
        except FileNotFoundError as error:
            message = f"there is no generation {digest} in {self.url}"
            raise NoGenerationError(f"{message}; {AGAIN}") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise self._damaged(name) from error
        return manifest

    def _refuse_another(self, manifest: Manifest) -> None:
        """Raise StoreError if the id belongs to another generation in the store."""
        try:
            known = self._digest(f"generations/{manifest.id}")
        except FileNotFoundError:
            return
        if known != manifest.digest:
            message = f"{self.url} has another generation {manifest.id}"
            raise StoreError(
                f"{message}, which servers may hold: take what is there with instead "
                "pull --home NEW, build in that home, and push from it"
            )

    def _is_there(self, home: Home, manifest: Manifest) -> bool:
        """Tell whether `home` has this very generation, sound."""
        if manifest.id not in home.ids():
            return False
        folder = home.folder(manifest.id)
        try:
            same = Manifest.load(folder).digest == manifest.digest
            if same:
                verify(folder)
        except DamagedError:
            return False  # it is fetched anew
        except MismatchError:
            same = False
        if not same:
            message = f"{home.path} has a generation {manifest.id} of its own, another"
            raise StoreError(
                f"{message} than {self.url} has; pull into a home where nothing was "
                "built, with --home DIR"
            )
        return True

    def _fetch(self, home: Home, manifest: Manifest, progress: Progress) -> Moved:
        """Make the generation of what `home` holds and what it lacks; then publish."""
        kept = _kept(home)
        total = sum(each["bytes"] for each in manifest.files.values())
        done = files = size = 0
        _, folder = home.stage(manifest.id)
        try:
            for name, each in sorted(manifest.files.items()):
                path = folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                if not _copied(kept.get(each["sha256"]), path, each):
                    self._get(manifest, name, path)
                    files, size = files + 1, size + each["bytes"]
                done += each["bytes"]
                progress("bytes", done, total)
            (folder / MANIFEST).write_bytes(manifest.dump())
            (folder / LOCK).touch()
            for path in [*folder.rglob("*"), folder]:
                sync(path)
            read_back(folder)
            home.publish(folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return Moved(manifest, files, size)

    def _get(self, manifest: Manifest, name: str, path: Path) -> None:
        """Fetch one file; StoreError if it is missing or damaged."""
        expected = manifest.files[name]
        where = f"{name} of generation {manifest.id} ({_file(expected['sha256'])})"
        try:
            intact = _written(path, self._blocks(_file(expected["sha256"])), expected)
        except FileNotFoundError as error:
            message = f"{where} is missing in {self.url}"
            raise StoreError(f"{message}; {AGAIN}") from error
        if not intact:
            raise self._damaged(where)

    def _digest(self, name: str) -> str:
        """Return the digest that an object names."""
        digest = b"".join(self._blocks(name)).decode(errors="replace")
        if not DIGEST.fullmatch(digest):
            raise self._damaged(name)
        return digest

    def _damaged(self, what: str) -> StoreError:
        message = f"{what} in {self.url} differs from its checksum"
        return StoreError(f"{message}; remove it there, and {AGAIN}")

    def _has(self, name: str, size: int) -> bool:
        """Tell whether an object is there and as long as it should be."""
        try:
            with self._asked(name):
                return bool(self._fs.info(self._path(name))["size"] == size)
        except FileNotFoundError:
            return False

    def _blocks(self, name: str) -> Iterator[bytes]:
        """Yield the bytes of an object; FileNotFoundError if there is none."""
        with self._asked(name):
            file = self._fs.open(
                self._path(name), "rb", block_size=BLOCK, cache_type="none"
            )
        with file:
            while True:
                with self._asked(name):
                    block = file.read(BLOCK)
                if not block:
                    return
                yield block

    def _put(self, name: str, content: Path | bytes) -> None:
        """Make `content` that of an object, whole or not at all, and for good."""
        with self._asked(name):
            if isinstance(self._fs, LocalFileSystem):
                _put_in_folder(Path(self._path(name)), content)
            elif isinstance(content, bytes):
                self._fs.pipe_file(self._path(name), content)
            else:
                self._fs.put_file(str(content), self._path(name))

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    @contextmanager
    def _asked(self, name: str) -> Iterator[None]:
        """Make a StoreError of what comes of the store, but that an object is not."""
        try:
            yield
        except FileNotFoundError:
            raise
        except Exception as error:  # whatever a backend's libraries make of a fault
            reason = getattr(error, "strerror", None) or str(error) or repr(error)
            message = f"{self.url} does not give or take {name}"
            raise StoreError(
                f"{message}: {reason.splitlines()[0]}; see that it can be reached, and "
                "that this process may read and write there"
            ) from error


def _file(sha256: str) -> str:
    return f"files/{sha256}"


def _harmless(manifest: Manifest) -> bool:
    """Tell whether all that a manifest names lies in its own folder."""
    paths = [PurePosixPath(each) for each in manifest.files]
    return manifest.id.isdecimal() and all(
        path.parts
        and not path.is_absolute()
        and not {"..", MANIFEST, LOCK} & {*path.parts}
        and not {"\\", ":"} & {*str(path)}
        and DIGEST.fullmatch(each["sha256"])
        and isinstance(each["bytes"], int)
        for path, each in zip(paths, manifest.files.values(), strict=True)
    )


def _kept(home: Home) -> dict[str, Path]:
    """Return the files of all generations of `home` by their SHA-256, as they claim."""
    kept = {}
    for id_ in home.ids():
        folder = home.folder(id_)
        try:
            files = Manifest.load(folder).files
        except EngineError:
            continue
        kept.update({each["sha256"]: folder / name for name, each in files.items()})
    return kept


def _copied(source: Path | None, path: Path, expected: Mapping[str, Any]) -> bool:
    """Copy a file that lies here already; False if there is none, or a damaged one."""
    if source is None or not source.is_file():
        return False
    with source.open("rb") as file:
        return _written(path, iter(lambda: file.read(BLOCK), b""), expected)


def _written(path: Path, blocks: Iterable[bytes], expected: Mapping[str, Any]) -> bool:
    """Write `blocks` to `path`; tell whether they are what is expected."""
    sha256, size = hashlib.sha256(), 0
    with path.open("wb") as file:
        for block in blocks:
            file.write(block)
            sha256.update(block)
            size += len(block)
            if size > expected["bytes"]:  # who knows how long it goes on
                return False
    return bool(sha256.hexdigest() == expected["sha256"])


def _put_in_folder(place: Path, content: Path | bytes) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    aside = place.with_name(f".{uuid.uuid4().hex}")
    try:
        if isinstance(content, bytes):
            aside.write_bytes(content)
        else:
            shutil.copyfile(content, aside)
        sync(aside)
        aside.replace(place)
        sync(place.parent)
    finally:
        aside.unlink(missing_ok=True)
