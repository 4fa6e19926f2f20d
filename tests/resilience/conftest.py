"""Folders for homes that are written and thrown away by the hundred."""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

collect_ignore_glob = ["test_*.py"] if sys.platform == "win32" else []
"""Windows forks no processes; what is tested here holds there by the same code."""

SHARED_MEMORY = Path("/dev/shm")


@contextmanager
def _in_memory() -> Iterator[Path]:
    """Yield a folder in memory where there is such a thing: a kill does not care."""
    inside = SHARED_MEMORY if SHARED_MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(dir=inside, prefix="instead-") as folder:
        yield Path(folder)


@pytest.fixture
def scratch() -> Iterator[Path]:
    """A folder that is written fast."""
    with _in_memory() as folder:
        yield folder


@pytest.fixture(scope="module")
def shared() -> Iterator[Path]:
    """One for all tests of a module."""
    with _in_memory() as folder:
        yield folder
