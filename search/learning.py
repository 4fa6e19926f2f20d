"""Learning from the log: an adapter of needs, and whether it is any better."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from index.adapter import Adapter
from index.encoder import Vectors
from index.errors import LearningError
from search.engine import Engine
from search.evaluation import (
    Difference,
    Estimate,
    Grades,
    difference,
    estimate,
    evaluate,
    ndcg,
)
from search.memory import Lesson

HELD_BACK = 5
"""One need in so many is never learned from: by it, this adapter and the next one are
compared. Which ones, their digests say, so that it is the same ones each time."""

LEAST, MOST = 50, 10_000
"""Needs that are learned from at least, for a fair comparison; and at most."""

COMPARED = 1000
"""Needs held back that are answered at most, each with and without the adapter."""

SHARPNESS, RESTRAINT, STEPS = 0.05, 0.05, 40
"""Softmax temperature of cosines, the cost of the matrix's squared norm, and steps of
the optimiser at most. Chosen on the train splits of two judged sets."""

BLOCK = 1000
"""Needs whose scores are in memory at once."""

Tick = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Learned:
    """An adapter, and how it does on `held_back` needs that it never saw, by nDCG@10.

    `before` is that of the adapter in use, or of none; `gain` is paired, `after` minus
    `before`. `better` says whether it may be switched to.
    """

    adapter: Adapter
    needs: int
    held_back: int
    before: Estimate
    after: Estimate
    gain: Difference

    @property
    def better(self) -> bool:
        """Whether the mean on the needs held back is no worse than before."""
        return self.gain.value >= 0


def learn(engine: Engine, tick: Tick = lambda done, total: None) -> Learned:
    """Return an adapter fitted to what the engine's memory knows, compared.

    Votes of past needs are left out of the comparison: only the adapters differ.
    Raises LearningError if the log holds too few needs of which it says what worked.
    """
    lessons = engine.ranker.memory.lessons()
    held = [each for each in lessons if _is_held_back(each.text)]
    kept = [each for each in lessons if not _is_held_back(each.text)][-MOST:]
    if len(kept) < LEAST or not held:
        message = f"the log says of {len(lessons)} needs what worked; learning takes"
        raise LearningError(f"{message} about {LEAST * HELD_BACK // (HELD_BACK - 1)}")
    chosen = held[-COMPARED:]
    needs = {str(number): each.text for number, each in enumerate(chosen)}
    slugs = engine.catalog.slugs
    qrels = {
        str(number): {slugs[position]: 1 for position in each.right}
        for number, each in enumerate(chosen)
    }
    total = STEPS + 2 * len(chosen)
    adapter = fit(engine, kept, lambda done: tick(done, total))
    before, after = (
        _measured(engine, used, needs, qrels, partial(_later, tick, start, total))
        for start, used in (
            (STEPS, engine.ranker.adapter),
            (STEPS + len(chosen), adapter),
        )
    )
    return Learned(
        adapter,
        len(kept),
        len(chosen),
        estimate(before),
        estimate(after),
        difference(after, before),
    )


def _is_held_back(text: str) -> bool:
    return hashlib.sha256(text.encode()).digest()[0] % HELD_BACK == 0


def _later(tick: Tick, start: int, total: int, done: int, _: int) -> None:
    tick(start + done, total)


def _measured(
    engine: Engine,
    adapter: Adapter | None,
    needs: dict[str, str],
    qrels: Mapping[str, Grades],
    tick: Tick,
) -> NDArray[np.float64]:
    """Return the nDCG@10 of each need with `adapter` and nothing else learned."""
    in_use = engine.ranker.adapter
    try:
        with engine.ranker.memory.silent():
            engine.ranker.adapter = adapter
            run = evaluate(engine, needs, qrels, tick).run
    finally:
        engine.ranker.adapter = in_use
    return np.array([ndcg([slug for slug, _ in run[qid]], qrels[qid]) for qid in needs])


def fit(engine: Engine, lessons: list[Lesson], tick: Callable[[int], None]) -> Adapter:
    """Return the matrix that best tells what worked from what else ever did.

    The softmax, over all capabilities of artifacts that ever worked, of the cosines to
    the corrected need; the loss is minus the logarithm of the share that falls to the
    artifacts that worked. An artifact without a past is nobody's rival here: nothing
    is known against it. Minimised by L-BFGS from zero, so that where little is known,
    little is changed.
    """
    from scipy.optimize import minimize  # 0.3 s that no search should wait for

    catalog, index = engine.catalog, engine.generation.vector
    seen = np.unique([position for each in lessons for position in each.right])
    rows = np.flatnonzero(np.isin(catalog.owners, seen))
    capabilities = index.vectors[rows]
    owners = catalog.owners[rows]
    vectors = np.stack([each.vector for each in lessons])
    right = [np.isin(owners, each.right) for each in lessons]
    weights = np.array([max(each.worked.values()) for each in lessons])
    width = vectors.shape[1]
    step = 0

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        matrix = flat.reshape(width, width).astype(np.float32)
        value, slope = 0.0, np.zeros((width, width))
        for start in range(0, len(vectors), BLOCK):
            part = slice(start, start + BLOCK)
            own, slant = _loss(
                vectors[part],
                matrix,
                capabilities,
                np.stack(right[part]),
                weights[part],
            )
            value += own / weights.sum()
            slope += slant / weights.sum()
        value += RESTRAINT * float((matrix**2).sum())
        slope += 2 * RESTRAINT * matrix
        return value, slope.ravel()

    def stepped(_: object) -> None:
        nonlocal step
        step += 1
        tick(step)

    found = minimize(
        loss,
        np.zeros(width * width),
        jac=True,
        method="L-BFGS-B",
        callback=stepped,
        options={"maxiter": STEPS},
    )
    return Adapter(found.x.reshape(width, width).astype(np.float32))


def _loss(
    vectors: Vectors,
    matrix: NDArray[np.float32],
    capabilities: Vectors,
    right: NDArray[np.bool_],
    weights: NDArray[np.float64],
) -> tuple[float, NDArray[np.float32]]:
    """Return the weighted loss of some needs and its gradient by the matrix."""
    scores = (vectors + vectors @ matrix) @ capabilities.T / SHARPNESS
    share = np.exp(scores - scores.max(axis=1, keepdims=True))
    share /= share.sum(axis=1, keepdims=True)
    own = np.where(right, share, 0)
    mine = np.maximum(own.sum(axis=1, keepdims=True), 1e-30)
    slope = (share - own / mine) * weights[:, None].astype(np.float32) / SHARPNESS
    gradient = vectors.T @ (slope @ capabilities)
    return float(-(np.log(mine[:, 0]) * weights).sum()), gradient
