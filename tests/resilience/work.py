"""What processes of the tests do; they are forked with all of this imported."""

from pathlib import Path
from typing import Any

from index.builder import build
from index.catalog import Catalog
from index.home import Home
from tests.conftest import ARTIFACTS, HashingEncoder, to_catalog


def changed(number: int) -> list[dict[str, Any]]:
    """Return the artifacts with one capability's description changed."""
    first, *others = ARTIFACTS
    capability = {**first["capabilities"][0], "description": f"Version {number}."}
    capabilities = [capability, *first["capabilities"][1:]]
    return [{**first, "capabilities": capabilities}, *others]


def changed_catalog(number: int) -> Catalog:
    """Return them as a catalogue."""
    return to_catalog(changed(number))


def build_changed(home: Path, number: int) -> str:
    """Build that catalogue, and return the generation's id."""
    return build(changed_catalog(number), HashingEncoder(), Home(home)).id
