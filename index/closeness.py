"""How near a need comes that the catalogue answers: its own intents show it.

What cosine is near depends on the encoder and on how the records are written: .25 in a
catalogue of single sentences, .39 in one of long descriptions. Intents are the words
that people who need a capability would type, so they are needs with a known answer.
"""

import hashlib
import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from index.catalog import Catalog
from index.encoder import ExportedEncoder, NeedEncoder, Vectors

FILE = "closeness.json"

SAMPLE, ENOUGH = 1000, 100
"""Intents that are measured at most, and at least for a quantile that holds."""

UNANSWERED = 0.03
"""Share of intents that may fall below the floor."""


def needs(catalog: Catalog, encoder: NeedEncoder) -> Vectors:
    """Return the unit vectors of SAMPLE distinct intents, or of all if they are fewer.

    The same catalogue gives the same ones.
    """
    distinct = {
        intent
        for artifact in catalog.values()
        for capability in artifact.capabilities
        for intent in capability.intents
    }
    chosen = sorted(distinct, key=lambda text: hashlib.sha256(text.encode()).digest())
    if isinstance(encoder, ExportedEncoder):  # others may have one text at a time
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            vectors = [*pool.map(encoder.encode_need, chosen[:SAMPLE])]
    else:
        vectors = [*map(encoder.encode_need, chosen[:SAMPLE])]
    return np.array(vectors, dtype=np.float32)


def build(cosines: NDArray[np.float32], folder: Path) -> None:
    """Write the cosine that all but UNANSWERED of the intents reach, null if too few.

    `cosines` are those of each to the nearest capability.
    """
    floor = None
    if len(cosines) >= ENOUGH:
        floor = round(float(np.quantile(cosines, UNANSWERED)), 4)
    content = {"intents": len(cosines), "floor": floor}
    (folder / FILE).write_text(json.dumps(content), encoding="utf-8")


def read(folder: Path) -> float | None:
    """Return the cosine below which nothing answers a need; None if it is unknown."""
    floor: float | None = json.loads((folder / FILE).read_bytes())["floor"]
    return floor
