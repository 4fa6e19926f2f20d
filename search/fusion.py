"""How the retrievers' scores become one."""

from collections.abc import Mapping

import numpy as np

from index.hits import Scores


def weights(trust: Mapping[str, float]) -> dict[str, float]:
    """Return each leg's share of the trust in all legs; they sum to 1, or all are 0.

    One fixed weight is wrong for every need: the best one of a set of needs lies
    anywhere from .2 to .7 for the keyword leg. So each leg is judged by its own ranking
    for this very need, without labels.
    """
    total = sum(trust.values()) or 1.0
    return {name: value / total for name, value in trust.items()}


def factors(
    legs: Mapping[str, Scores], weights: Mapping[str, float]
) -> dict[str, float]:
    """Return what each leg's scores are multiplied with before they are added up.

    That is the leg's weight divided by its best score for this need. Scores are not
    shifted: zero stays zero, so that a capability's score does not depend on how many
    others were considered (scaling by the theoretical minimum; Bruch, Gai and Ingber
    2023, doi:10.1145/3596512). A leg that matches nothing counts for nothing.
    """
    best = {name: float(scores.max(initial=0.0)) for name, scores in legs.items()}
    return {name: weights[name] / top if top > 0 else 0.0 for name, top in best.items()}


def fuse(legs: Mapping[str, Scores], factors: Mapping[str, float]) -> Scores:
    """Return the sum of the legs' scores, each times its factor; at most 1."""
    shares = [scores * factors[name] for name, scores in legs.items()]
    total: Scores = np.sum(shares, axis=0)
    return total


def reciprocal_rank(legs: Mapping[str, Scores], k: int = 60) -> Scores:
    """Return plain reciprocal rank fusion, the baseline: the sum of 1 / (k + rank).

    Ranks are from 1, ties by position; a leg gives nothing to what it scores 0
    (Cormack, Clarke and Buettcher 2009, doi:10.1145/1571941.1572114).
    """
    total: Scores = np.zeros(len(next(iter(legs.values()))))
    for scores in legs.values():
        ranks = np.empty(len(scores))
        ranks[np.argsort(-scores, kind="stable")] = np.arange(1, len(scores) + 1)
        total += np.where(scores > 0, 1 / (k + ranks), 0)
    return total
