"""How the retrievers' scores become one."""

from collections.abc import Mapping

import numpy as np

from index.hits import Scores

WEIGHTS = {"keyword": 0.35, "vector": 0.65}
"""What each leg adds to the score of the capability it likes best; they sum to 1."""


def factors(legs: Mapping[str, Scores]) -> dict[str, float]:
    """Return what each leg's scores are multiplied with before they are added up.

    That is the leg's weight divided by its best score for this need. Scores are not
    shifted: zero stays zero, so that a capability's score does not depend on how many
    others were considered (scaling by the theoretical minimum; Bruch, Gai and Ingber
    2023, doi:10.1145/3596512). A leg that matches nothing counts for nothing.
    """
    best = {name: float(scores.max(initial=0.0)) for name, scores in legs.items()}
    return {name: WEIGHTS[name] / top if top > 0 else 0.0 for name, top in best.items()}


def fuse(legs: Mapping[str, Scores], by: Mapping[str, float]) -> Scores:
    """Return the sum of the legs' scores, each times its factor; at most 1."""
    shares = [scores * by[name] for name, scores in legs.items()]
    total: Scores = np.sum(shares, axis=0)
    return total
