"""Measuring the engine on judged needs: runs, metrics, intervals, comparisons."""

import json
import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from index.errors import EncoderError, JudgementError
from index.hits import Scores, firsts, rank
from search.engine import Engine
from search.fusion import factors, fuse, reciprocal_rank
from search.need import Need
from search.ranking import Candidates

Grades = Mapping[str, int]
"""Grades of artifacts for one need, by slug; what is not judged counts as 0."""

Values = NDArray[np.float64]
"""One value for each need."""

RESAMPLES = 10_000
"""Of the bootstrap and of the randomisation test, seeded: figures can be repeated."""

DEPTH = 100
"""Artifacts ranked for each need."""

PARTS = ("constraints", "graph")
"""What `without` can take out of the engine."""

LEGS = ("keyword", "vector")
"""The retrievers that rank for any need, measured alone and mixed."""

FIXED_WEIGHTS = tuple(step / 20 for step in range(21))
"""Keyword weights among which the best fixed mix is looked for."""


def ndcg(ranking: Sequence[str], grades: Grades, k: int = 10) -> float:
    """Return the normalised discounted cumulative gain at `k`, in [0, 1].

    The gain is the grade, the discount log2(rank + 1), as trec_eval has it (Jarvelin
    and Kekalainen 2002, doi:10.1145/582415.582418).
    """
    ideal = _dcg(sorted(grades.values(), reverse=True)[:k])
    gains = [grades.get(slug, 0) for slug in ranking[:k]]
    return _dcg(gains) / ideal if ideal else 0.0


def _dcg(gains: Iterable[int]) -> float:
    return sum(gain / math.log2(place + 1) for place, gain in enumerate(gains, start=1))


def mrr(ranking: Sequence[str], grades: Grades, k: int = 10) -> float:
    """Return one over the rank of the first artifact that is right, 0 beyond `k`."""
    for place, slug in enumerate(ranking[:k], start=1):
        if grades.get(slug, 0) > 0:
            return 1 / place
    return 0.0


def recall(ranking: Sequence[str], grades: Grades, k: int) -> float:
    """Return the share of right artifacts that are among the first `k`."""
    right = {slug for slug, grade in grades.items() if grade > 0}
    return len(right.intersection(ranking[:k])) / len(right) if right else 0.0


METRICS: dict[str, Callable[[Sequence[str], Grades], float]] = {
    "ndcg@10": ndcg,
    "mrr@10": mrr,
    "recall@1": lambda ranking, grades: recall(ranking, grades, 1),
    "recall@10": lambda ranking, grades: recall(ranking, grades, 10),
    "recall@100": lambda ranking, grades: recall(ranking, grades, 100),
}


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over needs with its 95 % bootstrap interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Difference:
    """Ours minus another system's nDCG@10 over the same needs.

    `p` is two-sided, of Fisher's randomisation test on the paired differences.
    """

    value: float
    low: float
    high: float
    wins: int
    ties: int
    losses: int
    p: float


@dataclass(frozen=True, slots=True)
class Result:
    """What one system reaches; `difference` is ours minus it, None for ours."""

    system: str
    metrics: dict[str, Estimate]
    difference: Difference | None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Results of all systems on one set, ours first, and our run.

    `run` gives each need's artifacts with their scores, best first.
    """

    needs: int
    results: tuple[Result, ...]
    run: dict[str, list[tuple[str, float]]]


def read_needs(path: Path) -> dict[str, str]:
    """Return the needs of a JSON Lines file by qid; JudgementError names a bad line."""
    needs: dict[str, str] = {}
    for place, line in _lines(path):
        try:
            content = json.loads(line)
            qid, text = content["qid"], content["text"]
        except (ValueError, KeyError, TypeError):
            message = f'{place}: should be {{"qid": "...", "text": "..."}}'
            raise JudgementError(message) from None
        if not isinstance(qid, str) or not isinstance(text, str) or qid in needs:
            raise JudgementError(f"{place}: qid and text are texts, each qid once")
        needs[qid] = text
    return needs


def read_qrels(path: Path) -> dict[str, dict[str, int]]:
    """Return grades by qid and slug of a TREC file; JudgementError names a bad line."""
    qrels: dict[str, dict[str, int]] = {}
    for place, line in _lines(path):
        try:
            qid, _, slug, grade = line.split()
            qrels.setdefault(qid, {})[slug] = int(grade)
        except ValueError:
            raise JudgementError(f"{place}: should be: qid 0 slug grade") from None
    return qrels


def _lines(path: Path) -> Iterable[tuple[str, str]]:
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise JudgementError(f"{path}: cannot be read: {error}") from error
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield f"{path}:{number}", line


def evaluate(
    engine: Engine,
    needs: Mapping[str, str],
    qrels: Mapping[str, Grades],
    tick: Callable[[int, int], None] = lambda done, total: None,
    *,
    legs: bool = False,
    without: Collection[str] = (),
) -> Evaluation:
    """Return how well `engine` ranks, over the needs that have a right artifact.

    The whole ranking is measured: the cut-off hides its end and reorders nothing.
    With `legs`, also each retriever alone, plain reciprocal rank fusion, and the best
    fixed mix: the one weight that is best on this very set, chosen with its labels.
    `without` takes parts out: "constraints" reads all of a need as its topic, "graph"
    forgets what past needs taught.
    Raises JudgementError if no need is judged, NeedError for one without words, and
    EncoderError for one that words alone could answer.
    """
    judged = {
        qid: text
        for qid, text in needs.items()
        if any(grade > 0 for grade in qrels.get(qid, {}).values())
    }
    if not judged:
        raise JudgementError("no need of the file has a right artifact in the qrels")
    if "graph" in without:
        engine.ranker.forget()
    rankings: dict[str, list[list[str]]] = {}
    run = {}
    for done, (qid, text) in enumerate(judged.items(), start=1):
        # Judged needs are measured whole, longer ones than a person may type included.
        need = engine.ranker.understand(
            Need.read(text, limit=None), constraints="constraints" not in without
        )
        if need.degraded:
            raise EncoderError(f"{need.degraded}: words alone are no measure")
        found = engine.ranker.candidates(need)
        run[qid] = _ranked(engine, found, found.scores)
        systems = _systems(found) if legs else {"ours": found.scores}
        for name, scores in systems.items():
            ranking = [slug for slug, _ in _ranked(engine, found, scores)]
            rankings.setdefault(name, []).append(ranking)
        tick(done, len(judged))
    grades = [qrels[qid] for qid in judged]
    return Evaluation(len(judged), tuple(_results(rankings, grades)), run)


def _systems(found: Candidates) -> dict[str, Scores]:
    """Return every system's scores of the same candidates."""
    legs = {name: found.legs[name] for name in LEGS}
    systems = {"ours": found.scores, **legs, "rrf": reciprocal_rank(legs)}
    for share in FIXED_WEIGHTS:
        shares = {"keyword": share, "vector": 1 - share}
        systems[f"fixed {share:.2f}"] = fuse(legs, factors(legs, shares))
    return systems


def _ranked(
    engine: Engine, found: Candidates, scores: Scores
) -> list[tuple[str, float]]:
    """Return the first DEPTH artifacts with their scores; a score of 0 is no match."""
    matched = scores > 0
    ranking = rank(found.rows[matched], scores[matched], int(matched.sum()))
    owners = engine.catalog.owners[ranking.rows]
    places = firsts(owners)[:DEPTH]
    slugs = [engine.catalog.slugs[owner] for owner in owners[places]]
    return list(zip(slugs, ranking.scores[places].tolist(), strict=True))


def _results(
    rankings: Mapping[str, list[list[str]]], grades: Sequence[Grades]
) -> Iterable[Result]:
    """Yield ours, the legs, plain fusion, and the best one of the fixed mixes."""
    values = {
        system: {
            name: np.array(list(map(metric, ranked, grades)))
            for name, metric in METRICS.items()
        }
        for system, ranked in rankings.items()
    }
    fixed = [system for system in values if system.startswith("fixed")]
    best = max(fixed, key=lambda system: values[system]["ndcg@10"].mean(), default=None)
    for system, measured in values.items():
        if system in fixed and system != best:
            continue
        others = system != "ours"
        ours = values["ours"]["ndcg@10"]
        yield Result(
            f"best {system}" if system == best else system,
            {name: estimate(each) for name, each in measured.items()},
            difference(ours, measured["ndcg@10"]) if others else None,
        )


def estimate(values: Values) -> Estimate:
    """Return the mean of `values` with its 95 % percentile bootstrap interval."""
    low, high = _interval(values)
    return Estimate(float(values.mean()), low, high)


def difference(ours: Values, other: Values) -> Difference:
    """Return how much better `ours` is than `other` on the same needs."""
    gain = ours - other
    low, high = _interval(gain)
    signs = np.random.default_rng(0).choice([-1.0, 1.0], size=(RESAMPLES, len(gain)))
    by_chance = np.abs(signs @ gain) >= abs(gain.sum()) - 1e-12
    return Difference(
        value=float(gain.mean()),
        low=low,
        high=high,
        wins=int((gain > 0).sum()),
        ties=int((gain == 0).sum()),
        losses=int((gain < 0).sum()),
        p=(int(by_chance.sum()) + 1) / (RESAMPLES + 1),
    )


def _interval(values: Values) -> tuple[float, float]:
    random = np.random.default_rng(0)
    chosen = random.integers(len(values), size=(RESAMPLES, len(values)))
    low, high = np.percentile(values[chosen].mean(axis=1), [2.5, 97.5])
    return float(low), float(high)


def write_run(path: Path, run: Mapping[str, list[tuple[str, float]]]) -> None:
    """Write a run as trec_eval reads it: qid Q0 slug rank score tag."""
    lines = [
        f"{qid} Q0 {slug} {place} {score:.9f} instead\n"
        for qid, ranking in run.items()
        for place, (slug, score) in enumerate(ranking, start=1)
    ]
    try:
        path.write_text("".join(lines), encoding="utf-8")
    except OSError as error:
        raise JudgementError(f"{path}: cannot be written: {error.strerror}") from error
