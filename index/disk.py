"""The disk: what was written is there for good, or nothing of it."""

import os
import shutil
from contextlib import suppress
from pathlib import Path


def sync(path: Path) -> None:
    """Force a file's content or a folder's entries to the disk."""
    if path.is_dir() and os.name == "nt":  # Windows syncs no folders
        return
    descriptor = os.open(path, os.O_RDONLY if os.name != "nt" else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace(path: Path, content: str, mode: int = 0o666) -> None:
    """Make `content` that of the file `path` in one step, and for good.

    Raises OSError when the disk refuses; the file is then as it was.
    """
    aside, before = (path.with_name(f".{path.name}{end}") for end in ("", ".before"))
    aside.touch(mode)
    aside.write_text(content, encoding="utf-8")
    sync(aside)
    if path.exists():
        shutil.copy(path, before)
    aside.replace(path)
    try:
        sync(path.parent)
    except OSError:  # seen, but it may not outlast a loss of power: undo it
        if before.exists():
            before.replace(path)
        else:
            path.unlink()
        raise
    with suppress(OSError):  # else it lies there until the next time
        before.unlink(missing_ok=True)
