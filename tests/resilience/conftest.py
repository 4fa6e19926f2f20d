"""Folders for homes that are written and thrown away by the hundred."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

SHARED_MEMORY = Path("/dev/shm")


@pytest.fixture
def scratch() -> Iterator[Path]:
    """A folder in memory where there is such a thing: a kill does not care."""
    inside = SHARED_MEMORY if SHARED_MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(dir=inside, prefix="instead-") as folder:
        yield Path(folder)
