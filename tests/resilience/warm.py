"""Imported where processes are forked from: builds once, so that all is loaded."""

import tempfile
from pathlib import Path

from index.builder import build
from index.home import Home
from tests.conftest import ARTIFACTS, HashingEncoder, to_catalog

with tempfile.TemporaryDirectory() as folder:
    build(to_catalog(ARTIFACTS), HashingEncoder(), Home(Path(folder)))
