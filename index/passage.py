"""The texts of a capability that are encoded: its views."""

import hashlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from index.artifact import Artifact, Capability
from index.catalog import Catalog

VIEWS = 2
"""Views of a capability; its score is the mean of their cosines to the need."""


def views(artifact: Artifact, capability: Capability) -> tuple[str, str]:
    """Return what is encoded for `capability`: alone, and as its artifact's own.

    The first view matches needs that say what is to be done, the second those that
    also say to what or with what; their mean beats either alone by about .01 nDCG@10.
    Intents are the words of people who need the capability, so they stand before its
    description: +.04 on needs in other words than the records'.
    """
    intents = "".join(f"{intent}. " for intent in capability.intents)
    alone = f"{capability.name}: {intents}{capability.description}"
    owner = [artifact.name, *artifact.categories[:1]]
    return alone, ". ".join([*owner, alone])


def passages(catalog: Catalog) -> list[str]:
    """Return every passage: all first views in capability order, then all second."""
    pairs = [
        views(artifact, capability)
        for artifact in catalog.values()
        for capability in artifact.capabilities
    ]
    return [pair[view] for view in range(VIEWS) for pair in pairs]


def digests(texts: Iterable[str]) -> NDArray[np.void]:
    """Return the SHA-256 of each text, as an array of 32-byte values."""
    joined = b"".join(hashlib.sha256(text.encode()).digest() for text in texts)
    return np.frombuffer(joined, dtype="V32")
