"""Fits search/calibration.json on the train splits of judged sets.

    python bench/calibrate.py FOLDER ...

Each FOLDER holds `catalog.jsonl` and, where it has them, `needs-train.jsonl` and
`qrels-train.tsv`. What a right hit looks like is learned from the train needs on their
own catalogue; what no answer looks like, from the same needs on the others' catalogues.
Prints the expected calibration error on the dev splits, which nothing is fitted on.
"""

import argparse
import json
import random
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from bench.quality import engine
from search.confidence import Calibration, Evidence
from search.engine import Engine
from search.evaluation import read_needs, read_qrels
from search.need import Need

HITS = 10
NEEDS, STRANGERS = 1500, 250
STRANGERS_WEIGHT = 0.1
"""Weight of needs without an answer, those with one having 1 for each set."""

ABSTAIN = 0.03
"""Share of answerable train needs that may get no answer."""

CUTOFF = 0.002

Judged = list[tuple[Evidence, NDArray[np.bool_]]]


def sample(folder: Path, split: str, count: int) -> list[tuple[str, str]]:
    """Return (qid, text) pairs, chosen at random but repeatably."""
    needs = sorted(read_needs(folder / f"needs-{split}.jsonl").items())
    return random.Random(0).sample(needs, min(count, len(needs)))


def judged(opened: Engine, folder: Path, split: str, count: int) -> Judged:
    """Return the evidence of each need's hits, and which of them are right."""
    qrels = read_qrels(folder / f"qrels-{split}.tsv")
    return [
        (evidence, np.array([qrels[qid].get(slug, 0) > 0 for slug in slugs]))
        for qid, evidence, slugs in answers(opened, sample(folder, split, count))
        if qid in qrels
    ]


def answers(
    opened: Engine, needs: list[tuple[str, str]]
) -> Iterator[tuple[str, Evidence, list[str]]]:
    """Yield each need's evidence and artifacts."""
    for qid, text in needs:
        ranked = opened.ranker.rank(Need.read(text, limit=None))
        slugs = [opened.catalog.slugs[each] for each in ranked.artifacts]
        yield qid, ranked.evidence, slugs


def expected_error(likely: NDArray[np.float64], right: NDArray[np.bool_]) -> float:
    """Return the expected calibration error over ten equal bins, in [0, 1]."""
    bins = np.minimum((likely * 10).astype(int), 9)
    return float(
        sum(
            (bins == each).mean()
            * abs(likely[bins == each].mean() - right[bins == each].mean())
            for each in np.unique(bins)
        )
    )


def fit(known: list[Judged], strangers: list[Evidence], encoder: str) -> Calibration:
    """Return the calibration of needs with and without an answer."""
    x = [[e.closeness.max()] for each in known for e, _ in each]
    y = [1] * len(x)
    w = [1 / len(each) for each in known for _ in each]
    x += [[e.closeness.max()] for e in strangers]
    y += [0] * len(strangers)
    w += [STRANGERS_WEIGHT * len(known) / len(strangers)] * len(strangers)
    weights = np.array(w) / np.mean(w)
    fits = LogisticRegression(C=100).fit(x, y, sample_weight=weights)
    features = [e.features()[:HITS] for each in known for e, _ in each]
    labels = [right[:HITS] for each in known for _, right in each]
    shares = [np.full(len(e.scores[:HITS]), 1 / len(a)) for a in known for e, _ in a]
    per_hit = np.concatenate(shares)
    right = LogisticRegression(C=100, max_iter=1000).fit(
        np.concatenate(features),
        np.concatenate(labels),
        sample_weight=per_hit / per_hit.mean(),
    )
    closest = [np.array([e.closeness.max() for e, _ in each]) for each in known]
    return Calibration(
        version=time.strftime("%Y-%m-%d"),
        encoder=encoder,
        fits=(round(float(fits.intercept_[0]), 4), round(float(fits.coef_[0, 0]), 4)),
        right=tuple(
            round(float(each), 4) for each in (right.intercept_[0], *right.coef_[0])
        ),
        cutoff=CUTOFF,
        min_closeness=round(
            float(np.mean([np.quantile(each, ABSTAIN) for each in closest])), 3
        ),
    )


def main() -> None:
    """Fit, write and check."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    folders: list[Path] = parser.parse_args().folders
    engines = {each: engine(each.name, each / "catalog.jsonl") for each in folders}
    trained = [each for each in folders if (each / "needs-train.jsonl").exists()]
    known = [judged(engines[each], each, "train", NEEDS) for each in trained]
    strangers = [
        evidence
        for each in trained
        for other in folders
        if other != each
        for _, evidence, _ in answers(engines[other], sample(each, "train", STRANGERS))
    ]
    encoder = next(iter(engines.values())).generation.manifest.encoder["digest"]
    found = fit(known, strangers, encoder)
    path = Path(__file__).parent.parent / "search" / "calibration.json"
    content = {name: getattr(found, name) for name in Calibration.__slots__}
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    print(path.read_text(encoding="utf-8"))
    for each in folders:
        dev = judged(engines[each], each, "dev", NEEDS)
        likely = [found.confidence(evidence)[:HITS] for evidence, _ in dev]
        right = [labels[:HITS] for _, labels in dev]
        error = expected_error(np.concatenate(likely), np.concatenate(right))
        silent = np.mean([not found.shown(evidence).any() for evidence, _ in dev])
        counts = [int(found.shown(evidence).sum()) for evidence, _ in dev]
        print(
            f"{each.name} dev: expected calibration error {error:.3f}, "
            f"no answer for {silent:.1%}, {np.median(counts):.0f} hits shown (median)"
        )


if __name__ == "__main__":
    main()
