"""How well capabilities are aligned, against hand-labelled pairs.

    python bench/alignment.py

`bench/alignment.jsonl` holds 44 pairs of artifacts of the shipped catalogue, drawn at
random from near ones and from others of one field. Two readers judged every pair of
their capabilities apart (1,277 in all): same, part, different. What either held to be
more than different, and the other not, is unsure and left out. Prints F1 of the pairs
that are aligned, with the logistic model fitted on other artifacts than those it is
measured on, and the model fitted on all.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment, minimize

from bench.quality import engine
from search.alignment import CUT_OFF, WEIGHTS, Aligner

LABELS = Path(__file__).parent / "alignment.jsonl"

FOLDS, RESTRAINT = 11, 1e-3

Floats = NDArray[np.float64]


class Judged:
    """One pair of artifacts: measures of every pair of capabilities, and labels."""

    def __init__(self, line: str, aligner: Aligner, slugs: Sequence[str]) -> None:
        judged = json.loads(line)
        a, b = (slugs.index(judged[side]) for side in "ab")
        rows, columns = aligner.rows(a), aligner.rows(b)
        self.cosines, self.features = aligner.measures(rows, columns)
        catalog = aligner._generation.catalog
        ids = [[catalog.capability(row).id for row in side] for side in (rows, columns)]
        self.labels = np.zeros(self.cosines.shape)
        for label, pairs in ((1.0, judged["pairs"]), (np.nan, judged["unsure"])):
            for pair in pairs:
                at = ids[0].index(pair["a"]), ids[1].index(pair["b"])
                self.labels[at] = label

    def aligned(self, scores: Floats, cut_off: float) -> list[tuple[int, int]]:
        """Return the pairs of the best assignment that reach `cut_off`."""
        chosen = linear_sum_assignment(-np.maximum(scores - cut_off, 0))
        pairs = zip(*(each.tolist() for each in chosen), strict=True)
        return [each for each in pairs if scores[each] >= cut_off]


def fitted(sets: Sequence[Judged]) -> Floats:
    """Return constant and weights of the logistic model."""
    features = np.concatenate(
        [each.features.reshape(-1, len(WEIGHTS)) for each in sets]
    )
    labels = np.concatenate([each.labels.ravel() for each in sets])
    known = ~np.isnan(labels)
    features, labels = features[known], labels[known]
    scale = features.std(axis=0)
    full = np.column_stack([np.ones(len(features)), features / scale])

    def loss(weights: Floats) -> tuple[float, Floats]:
        logits = full @ weights
        value = (np.logaddexp(0, logits) - labels * logits).mean()
        slope = full.T @ (1 / (1 + np.exp(-logits)) - labels) / len(labels)
        rest = np.r_[0, weights[1:]]
        return value + RESTRAINT * (rest**2).sum(), slope + 2 * RESTRAINT * rest

    weights: Floats = minimize(loss, np.zeros(1 + len(WEIGHTS)), jac=True).x
    weights /= np.r_[1, scale]
    return weights


def f1(sets: Sequence[Judged], scores: Sequence[Floats], cut_off: float) -> list[float]:
    """Return F1 against all that is labelled, and against what one-to-one allows."""
    hits = shown = wanted = possible = 0.0
    for each, own in zip(sets, scores, strict=True):
        labels = [each.labels[pair] for pair in each.aligned(own, cut_off)]
        hits += np.nansum(labels)
        shown += np.sum(~np.isnan(labels))
        right = np.nan_to_num(each.labels)
        wanted += right.sum()
        possible += right[linear_sum_assignment(-right)].sum()
    return [2 * hits / (shown + all_) for all_ in (wanted, possible)]


def main() -> None:
    """Measure and print."""
    with engine("own", None) as opened:
        aligner = Aligner(opened.generation)
        lines = LABELS.read_text(encoding="utf-8").splitlines()
        slugs = [*opened.catalog.slugs]
        sets = [Judged(line, aligner, slugs) for line in lines]
    labels = np.concatenate([each.labels.ravel() for each in sets])
    print(f"{len(labels)} pairs, {int(np.nansum(labels))} same or part")
    folds = np.random.default_rng(0).permutation(len(sets)) % FOLDS
    held: list[Floats] = []
    for each, fold in zip(sets, folds, strict=True):
        others = [e for e, f in zip(sets, folds, strict=True) if f != fold]
        weights = fitted(others)
        held.append(1 / (1 + np.exp(-(weights[0] + each.features @ weights[1:]))))
    for name, scores, cut_offs in (
        ("cosine alone", [each.cosines for each in sets], np.arange(0.4, 0.7, 0.01)),
        ("likelihood, held out", held, np.arange(0.1, 0.8, 0.05)),
    ):
        best = max(cut_offs, key=lambda cut: f1(sets, scores, cut)[0])
        every, possible = f1(sets, scores, best)
        print(f"{name}, cut-off {best:.2f}: F1 {every:.3f}, one-to-one {possible:.3f}")
    for cut_off in sorted({0.2, 0.3, 0.4, 0.5, 0.6, CUT_OFF}):
        shown = [
            each.labels[pair]
            for each, own in zip(sets, held, strict=True)
            for pair in each.aligned(own, cut_off)
        ]
        every, possible = f1(sets, held, cut_off)
        print(
            f"held out, at {cut_off}: precision {np.nanmean(shown):.2f}, "
            f"F1 {every:.3f}, one-to-one {possible:.3f}"
        )
    print(
        "fitted on all: constant, then words, nearness, fields", fitted(sets).round(2)
    )


if __name__ == "__main__":
    main()
