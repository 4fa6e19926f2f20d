"""How likely a hit is right: calibrated on judged needs, for one encoder."""

import json
from dataclasses import dataclass
from importlib.resources import files
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from index.hits import Scores

STANDING_DEPTH = 50
"""Hits that one hit's standing is measured against."""

SCORE_STEP, CLOSENESS_STEP = 0.1, 0.05
"""Differences of score and of cosine that a share falls to 1 / e by."""

SAID_ENOUGH = 0.75
"""From this share of its words on, a need is met by words alone."""

NAMED = 0.99
"""Confidence in a hit whose name the need is; not fitted, a name leaves no doubt."""


class Evidence(NamedTuple):
    """What is known of the hits of one need, best first; arrays of one length.

    `closeness` is the cosine of need and capability, `scores` the fused scores, `said`
    the share of what the need's words can score at most, `covered` the share of the
    capability's own words that the need says, `named` whether the need is its name.
    """

    closeness: Scores
    scores: Scores
    said: Scores
    covered: Scores
    named: NDArray[np.bool_]

    def features(self) -> NDArray[np.float64]:
        """Return what tells a right hit from others, shape (hits, 4).

        The log share of its score among the first hits, the same of its closeness, and
        the two shares of words.
        """
        return np.stack(
            [
                _log_share(self.scores, SCORE_STEP),
                _log_share(self.closeness, CLOSENESS_STEP),
                self.said,
                self.covered,
            ],
            axis=1,
        )


def _log_share(values: Scores, step: float) -> Scores:
    if not len(values):
        return values
    scaled = (values - values.max()) / step
    share: Scores = scaled - np.log(np.exp(scaled[:STANDING_DEPTH]).sum())
    return share


@dataclass(frozen=True, slots=True)
class Calibration:
    """Coefficients fitted on judged needs, for vectors of one encoder only.

    A confidence is the product of two logistic functions (Platt 1999): that anything
    like this hit answers the need, by its closeness; and that it is the right one among
    the hits, by its features. `cutoff` is the least confidence that is shown;
    `min_closeness` the least closeness of an answer where the catalogue does not say
    better itself.
    """

    version: str
    encoder: str
    fits: tuple[float, float]
    right: tuple[float, ...]
    cutoff: float
    min_closeness: float

    @classmethod
    def shipped(cls) -> "Calibration":
        """Return the calibration that comes with the package."""
        path = files("search") / "calibration.json"
        content = json.loads(path.read_text(encoding="utf-8"))
        content["fits"], content["right"] = map(
            tuple, (content["fits"], content["right"])
        )
        return cls(**content)

    def confidence(self, evidence: Evidence) -> Scores:
        """Return the probability that each hit is right, in [0, 1]."""
        fits = _logistic(self.fits[0] + self.fits[1] * evidence.closeness)
        right = self.right[0] + evidence.features() @ np.array(self.right[1:])
        likely: Scores = np.where(evidence.named, NAMED, fits * _logistic(right))
        return likely

    def shown(
        self, evidence: Evidence, floor: float | None = None
    ) -> NDArray[np.bool_]:
        """Return which hits are good enough to be shown and counted.

        None is if nothing answers the need: no hit is as close as `floor`, the least
        closeness that answers a need in this catalogue, nor has most of its words.
        """
        near = self.min_closeness if floor is None else floor
        answered = (
            (evidence.closeness >= near).any()
            or (evidence.said >= SAID_ENOUGH).any()
            or evidence.named.any()
        )
        return answered & (self.confidence(evidence) >= self.cutoff)


def _logistic(values: Scores) -> Scores:
    return 1 / (1 + np.exp(-values))
