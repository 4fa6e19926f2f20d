"""What past needs teach: gains over no log on judged sets that have a train split.

    python bench/learning.py FOLDER ...

Each FOLDER holds `catalog.jsonl`, and needs and qrels of a train and a dev split. The
train needs become the log, each with the outcome "worked"; or are shown to simulated
readers, five a need, who look at rank r once in r times and choose nine in ten right
hits and one in ten wrong ones. Then the dev needs are measured. "cold": of a random
quarter of the artifacts all past needs are left out, and only the needs that those
answer are measured. Prints the rows for bench/RESULTS.md.
"""

import argparse
import random
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from bench.quality import engine
from index.errors import LearningError
from index.events import MatchEvent
from search.engine import Engine
from search.evaluation import (
    Difference,
    Grades,
    difference,
    evaluate,
    ndcg,
    read_needs,
    read_qrels,
)
from search.graph import MatchGraph
from search.learning import learn
from search.need import Need

NOW = datetime(2026, 11, 21, tzinfo=UTC)

READERS, RIGHT, WRONG = 5, 0.9, 0.1

Past = list[tuple[str, str]]
"""Needs with the slug of an artifact that is right for each."""


def past(folder: Path) -> Past:
    """Return the train needs, each with the artifacts that are right."""
    needs = read_needs(folder / "needs-train.jsonl")
    qrels = read_qrels(folder / "qrels-train.tsv")
    return [
        (text, slug)
        for qid, text in needs.items()
        for slug, grade in qrels.get(qid, {}).items()
        if grade > 0
    ]


def worked(told: Past) -> Iterator[MatchEvent]:
    """Yield an outcome for each past need."""
    for number, (need, slug) in enumerate(told):
        yield MatchEvent(str(number), need, "worked", NOW, slug)


def clicks(opened: Engine, told: Past) -> Iterator[MatchEvent]:
    """Yield what simulated readers were shown, and what they chose."""
    chance = random.Random(0)
    right: dict[str, set[str]] = {}
    for need, slug in told:
        right.setdefault(need, set()).add(slug)
    slugs = opened.catalog.slugs
    for number, (text, own) in enumerate(right.items()):
        ranked = opened.ranker.rank(Need.read(text, limit=None)).artifacts[:10]
        for reader in range(READERS):
            match = f"{number}-{reader}"
            at = NOW + timedelta(hours=number)
            chosen = []
            for place, position in enumerate(ranked.tolist(), start=1):
                slug = slugs[position]
                event = MatchEvent(
                    f"{match}-{place}", text, "shown", at, slug, match, position=place,
                    source=match,
                )  # fmt: skip
                yield event
                likely = RIGHT if slug in own else WRONG
                if chance.random() < 1 / place and chance.random() < likely:
                    chosen.append(event)
            for each in chosen:
                yield MatchEvent(
                    f"{each.id}-chosen", text, "chosen", at, each.artifact, match,
                    position=each.position, source=match,
                )  # fmt: skip


def values(
    opened: Engine, needs: Mapping[str, str], qrels: Mapping[str, Grades]
) -> np.ndarray:
    """Return the nDCG@10 of each need that has a right artifact."""
    run = evaluate(opened, needs, qrels).run
    return np.array([ndcg([slug for slug, _ in run[q]], qrels[q]) for q in run])


def row(name: str, system: str, before: float, gain: Difference) -> str:
    """Return a row of what a log is worth."""
    return (
        f"| {name} | {system} | {before:.4f} | {before + gain.value:.4f} | "
        f"{gain.value:+.4f} [{gain.low:+.3f}, {gain.high:+.3f}] | "
        f"{gain.wins}/{gain.ties}/{gain.losses} |"
    )


def judged_set(folder: Path) -> Iterator[str]:
    """Yield the rows of one set."""
    told = past(folder)
    needs = read_needs(folder / "needs-dev.jsonl")
    qrels = read_qrels(folder / "qrels-dev.tsv")
    with engine(folder.name, folder / "catalog.jsonl") as opened:
        opened.ranker.forget()
        slugs = sorted(opened.catalog.slugs)
        cases = [
            (f"all {len(told):,}", worked(told), qrels),
            ("first 100", worked(told[:100]), qrels),
            (f"clicks, {READERS} readers a need", clicks(opened, told), qrels),
        ]
        for draw in range(3):
            cold = set(random.Random(draw).sample(slugs, len(slugs) // 4))
            kept = [(need, slug) for need, slug in told if slug not in cold]
            own = {
                qid: grades
                for qid, grades in qrels.items()
                if all(slug in cold for slug, grade in grades.items() if grade > 0)
            }
            cases.append((f"cold, draw {draw}", worked(kept), own))
        for name, log, judged in cases:
            opened.ranker.forget()
            graph = MatchGraph(log)
            bare = values(opened, needs, judged)
            opened.ranker.memory.learn(graph)
            voted = values(opened, needs, judged)
            label = f"{folder.name} | {name}"
            yield row(label, "vote", bare.mean(), difference(voted, bare))
            try:
                learned = learn(opened)
            except LearningError as error:
                yield f"| {label} | adapter | {error} |"
                continue
            if not learned.better:
                yield f"| {label} | adapter | refused: {learned.gain.value:+.4f} |"
                continue
            opened.ranker.adapter = learned.adapter
            both = values(opened, needs, judged)
            yield row(label, "adapter + vote", bare.mean(), difference(both, bare))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    given: list[Path] = parser.parse_args().folders
    print(f"{time.strftime('%Y-%m-%d')}\n")
    print("| set | log | what learns | nDCG@10 without | with | gain | w/t/l |")
    for folder in given:
        for line in judged_set(folder):
            print(line, flush=True)


if __name__ == "__main__":
    main()
