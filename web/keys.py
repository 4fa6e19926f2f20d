"""API keys: who may ask more often. The file holds their digests, never the keys."""

import hashlib
import json
import re
import secrets
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import portalocker

from index.disk import replace
from index.errors import KeyNameError, StorageError, UnknownKeyError
from index.home import storage_error

FILE = "keys.json"

WAIT_S = 10.0
"""Seconds that a second writer waits for the first."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key by its name: the SHA-256 of 256 random bits, and when it was made."""

    name: str
    digest: str
    created: str


class Keys:
    """The keys of a home. Another process's changes are seen at once."""

    def __init__(self, home: Path) -> None:
        """Name the folder; nothing need be there yet."""
        self._path = home / FILE
        self._state: object = None
        self._names: dict[str, str] = {}

    def all(self) -> list[Key]:
        """Return all keys by name; StorageError if their file cannot be read."""
        try:
            content = json.loads(self._path.read_bytes())
            keys = [Key(**each) for each in content["keys"]]
        except FileNotFoundError:
            return []
        except OSError as error:
            message = f"{self._path} cannot be read: {error.strerror}"
            raise StorageError(f"{message}; let this user read it") from error
        except (ValueError, TypeError, KeyError) as error:
            message = f"{self._path} is damaged"
            raise StorageError(
                f"{message}; remove it, and add the keys again"
            ) from error
        return sorted(keys, key=lambda each: each.name)

    def add(self, name: str) -> str:
        """Return a new key, which nobody can tell again; only its digest is kept.

        Raises KeyNameError for a name that is taken or none, StorageError.
        """
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
            message = f"{name!r} is no name for a key; use up to 64 letters, digits"
            raise KeyNameError(f"{message}, '.', '_' and '-', a letter or digit first")
        key = f"instead_{secrets.token_urlsafe(32)}"
        created = datetime.now(UTC).isoformat(timespec="seconds")
        with self._locked():
            known = self.all()
            if name in (each.name for each in known):
                message = f"there is a key {name!r} already"
                raise KeyNameError(f"{message}; revoke it, or choose another name")
            self._write([*known, Key(name, _digest(key), created)])
        return key

    def revoke(self, name: str) -> None:
        """Remove the key `name`; UnknownKeyError if there is none, StorageError."""
        with self._locked():
            known = self.all()
            left = [each for each in known if each.name != name]
            if len(left) == len(known):
                names = ", ".join(each.name for each in known) or "none"
                raise UnknownKeyError(f"no key has the name {name!r} (there: {names})")
            self._write(left)

    def name(self, key: str) -> str:
        """Return the name of `key`; UnknownKeyError if it is none, StorageError."""
        state = self._stamp()
        if state != self._state:
            self._names = {each.digest: each.name for each in self.all()}
            self._state = state
        try:
            return self._names[_digest(key)]
        except KeyError:
            message = "the key that was sent is not known, or was revoked"
            raise UnknownKeyError(f"{message}; send another, or none") from None

    def _stamp(self) -> object:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise storage_error(self._path, error) from error
        return found.st_mtime_ns, found.st_ino, found.st_size

    def _locked(self) -> portalocker.Lock:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise storage_error(self._path.parent, error) from error
        lock = self._path.with_suffix(".lock")
        return portalocker.Lock(lock, mode="a", timeout=WAIT_S, check_interval=0.05)

    def _write(self, keys: list[Key]) -> None:
        """Write all keys in one step; nobody but this user may read them."""
        content = json.dumps({"keys": [asdict(each) for each in keys]}, indent=1)
        try:
            replace(self._path, f"{content}\n", mode=0o600)
        except OSError as error:
            raise storage_error(self._path, error) from error


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode(errors="replace")).hexdigest()
