"""How well the engine ranks: all judged sets, ours and given ones, clean and misspelt.

    python bench/quality.py [FOLDER ...]

Each FOLDER holds a judged set: `catalog.jsonl`, `needs-dev.jsonl`, `qrels-dev.tsv`. Our
own needs over the shipped catalogue, in `bench/needs/`, are always measured, class by
class. Generations are built in a cache folder, so that a second run encodes nothing.
Prints the rows for bench/RESULTS.md.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path

import numpy as np

from bench.misspell import misspell
from search.engine import Engine
from search.evaluation import (
    Evaluation,
    Grades,
    Result,
    difference,
    evaluate,
    ndcg,
    read_needs,
    read_qrels,
)
from search.need import Need
from web.settings import Settings, build_generation, open_engine

OWN = Path(__file__).parent / "needs"
PUBLISHED = Path(__file__).parent.parent / "web" / "quality.json"
"""What the page of measured relevance shows."""

COLUMNS = [
    "set", "needs", "system", "nDCG@10", "MRR@10", "R@1", "R@10", "R@100",
    "ours - it", "win/tie/loss",
]  # fmt: skip

CACHE = Path(tempfile.gettempdir()) / "instead-quality"


def engine(name: str, catalog: Path | None) -> Engine:
    """Return an engine over a catalogue, by default the one that ships."""
    settings = Settings(CACHE / name)
    build_generation(settings, (catalog,) if catalog else ())
    return open_engine(settings)


def row(name: str, needs: int, result: Result) -> str:
    """Return a system's row."""
    ndcg = result.metrics["ndcg@10"]
    cells = [name, f"{needs}", result.system]
    cells.append(f"{ndcg.value:.4f} [{ndcg.low:.3f}, {ndcg.high:.3f}]")
    cells += [f"{each.value:.4f}" for each in list(result.metrics.values())[1:]]
    gain = result.difference
    if gain:
        cells.append(f"{gain.value:+.4f} [{gain.low:+.3f}, {gain.high:+.3f}]")
        cells.append(f"{gain.wins}/{gain.ties}/{gain.losses}, p {gain.p:.3f}")
    return f"| {' | '.join(cells)} |"


def judged_set(folder: Path) -> Iterator[str]:
    """Yield the rows of a judged set: ours, the legs and baselines, and misspelt."""
    needs = read_needs(folder / "needs-dev.jsonl")
    qrels = read_qrels(folder / "qrels-dev.tsv")
    with engine(folder.name, folder / "catalog.jsonl") as opened:
        found = evaluate(opened, needs, qrels, legs=True)
        yield from (row(folder.name, found.needs, each) for each in found.results)
        wrong = {qid: misspell(text, qid) for qid, text in needs.items()}
        (ours,) = evaluate(opened, wrong, qrels).results
        yield row(f"{folder.name}, misspelt", found.needs, ours)


def without_constraints(
    opened: Engine,
    needs: Mapping[str, str],
    qrels: Mapping[str, Grades],
    ours: Evaluation,
) -> Result:
    """Return what the same engine reaches that reads no constraints."""
    bare = evaluate(opened, needs, qrels, without=("constraints",))
    values = [
        np.array([ndcg([slug for slug, _ in run[qid]], qrels[qid]) for qid in run])
        for run in (ours.run, bare.run)
    ]
    gain = difference(*values)
    return Result("without constraints", bare.results[0].metrics, gain)


def own() -> Iterator[str]:
    """Yield the rows of our own needs, by class."""
    classes: dict[str, dict[str, str]] = {}
    for line in (OWN / "needs.jsonl").read_text(encoding="utf-8").splitlines():
        need = json.loads(line)
        classes.setdefault(need["class"], {})[need["qid"]] = need["text"]
    qrels = read_qrels(OWN / "qrels.tsv")
    lines = (OWN / "violations.tsv").read_text(encoding="utf-8").splitlines()
    violated = {(qid, slug) for qid, slug in map(str.split, lines)}
    with engine("own", None) as opened:
        for name, needs in classes.items():
            answers = [opened.search(Need.read(text)) for text in needs.values()]
            silent = sum(not answer.hits for answer in answers)
            yield f"| own: {name} | {len(needs)} | ours | no answer for {silent} |"
            if not any(qid in qrels for qid in needs):
                continue
            found = evaluate(opened, needs, qrels, legs=True)
            yield from (
                row(f"own: {name}", found.needs, each) for each in found.results
            )
            yield row(
                f"own: {name}",
                found.needs,
                without_constraints(opened, needs, qrels, found),
            )
            top = [(qid, slug) for qid in found.run for slug, _ in found.run[qid][:10]]
            if any(qid in needs for qid, _ in violated):
                wrong = sum(pair in violated for pair in top)
                yield f"| own: {name} | {found.needs} | ours | {wrong} violate a must |"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--publish", action="store_true", help="write web/quality.json")
    given = parser.parse_args()
    today = time.strftime("%Y-%m-%d")
    print(f"{today}\n\n| {' | '.join(COLUMNS)} |")
    lines = []
    for line in chain(*map(judged_set, given.folders), own()):
        print(line, flush=True)
        lines.append(line)
    if given.publish:
        content = {
            "date": today,
            "metric": "nDCG@10 with its 95 % bootstrap interval, then ours minus the "
            "system, with wins, ties, losses and p of a randomisation test",
            "columns": COLUMNS,
            "rows": [cells(line) for line in lines],
        }
        text = json.dumps(content, ensure_ascii=False, indent=1)
        PUBLISHED.write_text(f"{text}\n", encoding="utf-8")


def cells(line: str) -> list[str]:
    """Return the cells of a printed row, empty ones at its end for what it lacks."""
    found = [each.strip() for each in line.strip("| ").split(" | ")]
    return found + [""] * (len(COLUMNS) - len(found))


if __name__ == "__main__":
    main()
