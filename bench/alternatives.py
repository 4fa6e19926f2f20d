"""How well alternatives are found, against what practitioners name.

    python bench/alternatives.py

`bench/alternatives.jsonl` names for 75 artifacts of the shipped catalogue what one
would use instead, written before any answer was seen; 40 with a public page that says
so of the best known, the rest by own judgement. Prints recall@10 (a variant that is
listed with its family counts as found), precision@5 (of five, also where fewer are
right), and what alternatives and a comparison cost.
"""

import argparse
import itertools
import json
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from bench.quality import engine
from search.alternatives import Replacer
from search.comparison import Comparer
from search.engine import Engine
from search.graph import MatchGraph

JUDGED = Path(__file__).parent / "alternatives.jsonl"


def measured(opened: Engine, verbose: bool) -> None:
    """Print recall and precision, of each half and of all."""
    replacer, graph = Replacer(opened), MatchGraph()
    recalls, precisions = [], []
    for line in JUDGED.read_text(encoding="utf-8").splitlines():
        judged = json.loads(line)
        right = set(judged["alternatives"])
        found = replacer.instead_of(judged["slug"], graph).found
        groups = [{e.artifact.slug, *(v.slug for v in e.variants)} for e in found]
        listed = set().union(*groups)
        recalls.append(len(listed & right) / len(right))
        precisions.append(sum(bool(group & right) for group in groups[:5]) / 5)
        if verbose:
            marks = [
                ("+" if group & right else "-") + "/".join(group) for group in groups
            ]
            print(
                judged["slug"], f"{recalls[-1]:.2f}", *marks, "missed", right - listed
            )
    for name, part in (
        ("chosen on", slice(0, None, 2)),
        ("held out", slice(1, None, 2)),
        ("all", slice(None)),
    ):
        print(
            f"{name}: {len(recalls[part])} artifacts, recall@10 "
            f"{np.mean(recalls[part]):.3f}, precision@5 {np.mean(precisions[part]):.3f}"
        )


def timed(name: str, opened: Engine) -> None:
    """Print what alternatives and a comparison cost, in milliseconds."""
    replacer, comparer = Replacer(opened), Comparer(opened)
    graph, today = MatchGraph(), datetime.now(UTC).date()
    chance = np.random.default_rng(0)
    slugs = [opened.catalog.slugs[int(each)] for each in chance.choice(
        len(opened.catalog), 101, replace=False)]  # fmt: skip
    replacer.instead_of(slugs[0], graph)
    comparer.compare(slugs[0], slugs[1], graph, today)
    for what, calls in (
        (
            "alternatives",
            [lambda s=s: replacer.instead_of(s, graph) for s in slugs[1:]],
        ),
        (
            "comparison",
            [
                lambda a=a, b=b: comparer.compare(a, b, graph, today)
                for a, b in itertools.pairwise(slugs)
            ],
        ),
    ):
        took = []
        for call in calls:
            started = time.perf_counter()
            call()
            took.append((time.perf_counter() - started) * 1000)
        p50, p99 = np.percentile(took, [50, 99])
        size = opened.catalog.capability_count
        print(f"{name}, {size:,} capabilities: {what} p50 {p50:.1f} ms, p99 {p99:.1f}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("catalogs", nargs="*", type=Path, help="further ones to time")
    given = parser.parse_args()
    with engine("own", None) as opened:
        measured(opened, given.verbose)
        timed("own", opened)
    for path in given.catalogs:
        with engine(path.parent.name, path) as opened:
            timed(path.parent.name, opened)


if __name__ == "__main__":
    main()
