"""Exploration: now and then a hit from further down is shown, so that it can be tried.

What never is among the first ten is never chosen, and nothing is ever learned of it.
"""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

LAST, DEEPER = 10, 20
"""The position that is given away, and how many hits behind it may get it."""


class Place(NamedTuple):
    """A hit's place in the ranking, and the probability of showing it where it is."""

    place: int
    probability: float


def explored(places: Sequence[int], rate: float, seed: str) -> list[Place]:
    """Return `places`, best first, the hit at LAST exchanged at `rate` for a later one.

    The dice are the SHA-256 of `seed`: equal seeds explore alike, so that further
    pages neither repeat nor leave out a hit.
    """
    kept = [Place(place, 1.0) for place in places]
    deeper = kept[LAST : LAST + DEEPER]
    if rate <= 0 or not deeper:
        return kept
    share = rate / len(deeper)
    dice = hashlib.sha256(seed.encode()).digest()
    explores = int.from_bytes(dice[:8]) / 2**64 < rate
    chosen = LAST + int.from_bytes(dice[8:16]) % len(deeper)
    for at in range(LAST, LAST + len(deeper)):
        kept[at] = Place(kept[at].place, 1 - share)
    last = kept[LAST - 1].place
    kept[LAST - 1] = Place(last, 1 - rate)
    if explores:
        kept[LAST - 1] = Place(kept[chosen].place, share)
        kept[chosen] = Place(last, share)
    return kept
