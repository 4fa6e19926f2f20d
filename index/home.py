"""The home: generations side by side, and the pointer to the one in use.

A home holds `generations/<id>/`, one folder each, and `CURRENT`, which names the one in
use. A generation is written aside, synced, renamed into place, and only then named; a
crash at any moment leaves the old one in use.
"""

import logging
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import portalocker

from index.disk import replace, sync
from index.errors import DamagedError, NoGenerationError, StorageError
from index.generation import BUILD, LOCK, Generation, Manifest, verify

logger = logging.getLogger(__name__)

CURRENT = "CURRENT"

KEPT = 3
"""Generations kept. A reader that opened one just before a switch still finds it."""


class Home:
    """A folder with the generations built in it, and the pointer to the one in use."""

    def __init__(self, path: Path) -> None:
        """Name the folder; it need not exist yet."""
        self.path = path
        self._generations = path / "generations"

    def ids(self) -> list[str]:
        """Return the ids of all published generations, oldest first."""
        if not self._generations.is_dir():
            return []
        # Staging folders begin with a dot; whatever else lies there is not ours.
        names = (path.name for path in self._generations.iterdir())
        return sorted(name for name in names if name.isdecimal())

    def current(self) -> str | None:
        """Return the id of the generation in use; None before the first build."""
        try:
            name = (self.path / CURRENT).read_text(encoding="utf-8", errors="replace")
            return name.strip() or None
        except FileNotFoundError:
            return None
        except OSError as error:
            message = f"{self.path / CURRENT} cannot be read: {error}"
            raise StorageError(f"{message}; {BUILD}") from error

    def folder(self, id_: str) -> Path:
        """Return a generation's folder; NoGenerationError if there is none."""
        if id_ not in self.ids():
            known = ", ".join(self.ids()) or "none"
            message = f"no generation {id_!r} under {self.path} (there: {known})"
            raise NoGenerationError(f"{message}; {BUILD}")
        return self._generations / id_

    def open(self) -> Generation:
        """Return the generation in use, open; the last good one if it is damaged.

        Raises NoGenerationError before the first build, DamagedError if none is good.
        """
        named = self.current()
        ids = self.ids()
        if named is None and not ids:
            message = f"nothing has been built under {self.path} yet"
            raise NoGenerationError(f"{message}; {BUILD}")
        first: DamagedError | None = None
        if named not in ids:
            what = f"names {named!r}, which is not there" if named else "is missing"
            first = DamagedError(f"{self.path / CURRENT} {what}; {BUILD}")
        others = [each for each in reversed(ids) if each != named]
        for candidate in others if first else [str(named), *others]:
            try:
                generation = Generation(self._generations / candidate)
            except DamagedError as error:
                first = first or error
                continue
            if first:
                logger.warning("%s; using %s meanwhile", first, candidate)
            return generation
        assert first is not None
        raise first

    @contextmanager
    def locked(self, wait_s: float = 3600) -> Iterator[None]:
        """Hold the home for one writer; a second one waits `wait_s` at most."""
        try:
            self._generations.mkdir(parents=True, exist_ok=True)
            lock = portalocker.Lock(
                self.path / "build.lock", mode="a", timeout=wait_s, check_interval=0.2
            )
            lock.acquire()
        except portalocker.LockException as error:
            message = f"another build has held {self.path} for {wait_s:.0f} s"
            raise StorageError(f"{message}; wait for it or end it") from error
        except OSError as error:
            raise storage_error(self.path, error) from error
        try:
            yield
        finally:
            lock.release()

    def stage(self, id_: str | None = None) -> tuple[str, Path]:
        """Return an id, by default the next, and an empty folder to make it in.

        That is done under `locked`.
        """
        for leftover in self._generations.glob(".*"):  # of builds that were killed
            shutil.rmtree(leftover, ignore_errors=True)
        last = max((int(each) for each in self.ids()), default=0)
        id_ = id_ or f"{last + 1:06d}"
        folder = self._generations / f".{id_}"
        folder.mkdir()
        return id_, folder

    def publish(self, folder: Path) -> None:
        """Move a sealed staging folder into place and switch to it; or do nothing.

        What is there under its id makes way: it is damaged, for nobody makes an id
        again that is sound.
        """
        place = folder.with_name(folder.name.removeprefix("."))
        if place.exists():
            place.rename(folder.with_name(f"{folder.name}-damaged"))
        folder.rename(place)
        try:
            sync(self._generations)
            self.switch(place.name)
        except OSError:
            if self.current() != place.name:
                shutil.rmtree(place, ignore_errors=True)
            raise
        self._prune()

    def switch(self, id_: str) -> None:
        """Make `id_` the generation in use, in one step."""
        replace(self.path / CURRENT, f"{id_}\n")

    def rollback(self, id_: str | None = None) -> Manifest:
        """Verify and switch to `id_`, or to the one before the one in use."""
        with self.locked():
            if id_ is None:
                current = self.current()
                earlier = [each for each in self.ids() if current and each < current]
                if not earlier:
                    message = "there is no earlier generation to go back to"
                    raise NoGenerationError(f"{message} under {self.path}")
                id_ = earlier[-1]
            manifest = verify(self.folder(id_))
            try:
                self.switch(id_)
            except OSError as error:
                raise storage_error(self.path, error) from error
            return manifest

    def _prune(self) -> None:
        """Remove all but the last KEPT."""
        self.remove(self.ids()[:-KEPT])

    def remove(self, ids: Iterable[str]) -> None:
        """Remove generations; never the one in use, nor one that is open."""
        for id_ in ids:
            folder = self._generations / id_
            if id_ == self.current():
                continue
            try:
                with (folder / LOCK).open("ab") as lock:
                    portalocker.lock(lock, portalocker.LOCK_EX | portalocker.LOCK_NB)
                    removed = folder.rename(folder.with_name(f".{id_}-removed"))
            except (OSError, portalocker.LockException):
                continue  # open somewhere: the next build tries again
            shutil.rmtree(removed, ignore_errors=True)


def storage_error(path: Path, error: OSError) -> StorageError:
    """Return `error` of the operating system as one that says what to do."""
    # NumPy says how many of a file's numbers went, and not why the rest did not.
    reason = error.strerror or f"the disk took but a part of a file ({error})"
    message = f"cannot write to {path}: {reason}"
    return StorageError(f"{message}; free or open it, or choose another with --home")
