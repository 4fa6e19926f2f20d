"""How near a need comes that the catalogue answers: its own intents show it.

What cosine is near depends on the encoder and on how the records are written: .25 in a
catalogue of single sentences, .39 in one of long descriptions. Intents are the words
that people who need a capability would type, so they are needs with a known answer.
"""

import hashlib
import json
from pathlib import Path

import numpy as np

from index.catalog import Catalog
from index.encoder import NeedEncoder, Vectors
from index.passage import VIEWS

FILE = "closeness.json"

SAMPLE, ENOUGH = 1000, 100
"""Intents that are measured at most, and at least for a quantile that holds."""

UNANSWERED = 0.03
"""Share of intents that may fall below the floor."""


def build(
    catalog: Catalog, vectors: Vectors, encoder: NeedEncoder, folder: Path
) -> None:
    """Write the cosine that all but UNANSWERED of the intents reach, null if too few.

    Of each intent it is the greatest mean over a capability's views.
    """
    distinct = {
        intent
        for artifact in catalog.values()
        for capability in artifact.capabilities
        for intent in capability.intents
    }
    chosen = sorted(distinct, key=lambda text: hashlib.sha256(text.encode()).digest())
    chosen = chosen[:SAMPLE]
    floor = None
    if len(chosen) >= ENOUGH:
        capabilities = vectors.reshape(VIEWS, -1, vectors.shape[1]).mean(axis=0)
        needs = np.stack([encoder.encode_need(intent) for intent in chosen])
        nearest = (needs @ capabilities.T).max(axis=1)
        floor = round(float(np.quantile(nearest, UNANSWERED)), 4)
    content = {"intents": len(chosen), "floor": floor}
    (folder / FILE).write_text(json.dumps(content), encoding="utf-8")


def read(folder: Path) -> float | None:
    """Return the cosine below which nothing answers a need; None if it is unknown."""
    floor: float | None = json.loads((folder / FILE).read_bytes())["floor"]
    return floor
