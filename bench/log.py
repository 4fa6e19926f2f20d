"""What a long event log costs: how a start goes, and how past needs are found.

    python bench/log.py [EVENTS] [NEEDS]

Writes a log of EVENTS (a million) that looks like one of many readers: nine hits a
need, seven needs in ten never asked before, something told of nine matches in ten.
Then measures a start without a checkpoint, the writing of one, and starts from it,
also with events that are newer. Of NEEDS (100,000) past needs, as vectors in clusters,
measures how long the 100 nearest take to find, and how many of these are found. Prints
the rows for bench/RESULTS.md.
"""

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import faiss
import numpy as np
from numpy.typing import NDArray

from index.events import EventLog, MatchEvent, Outcome
from index.vector import Neighbours
from search.history import CHECKPOINT_EVERY, History

NOW = datetime(2026, 10, 1, tzinfo=UTC)
SHOWN, ARTIFACTS, SOURCES = 9, 4000, 500
NEW, TOLD = 0.7, 0.9
OUTCOMES: tuple[Outcome, ...] = ("worked", "chosen", "failed")
WIDTH, CLUSTERS, NEAREST, ASKED = 384, 3000, 100, 500
STARTS = 5

Vectors = NDArray[np.float32]
Result = TypeVar("Result")


def matches(first: int) -> Iterator[list[MatchEvent]]:
    """Yield the events of one match after another."""
    chance = random.Random(first)
    number = first
    while True:
        number += 1
        at, source = (
            NOW + timedelta(seconds=2 * number),
            f"s{chance.randrange(SOURCES)}",
        )
        need = f"common need {chance.randrange(2000)}"
        if chance.random() < NEW:
            need = " ".join(f"w{chance.randrange(3000)}" for _ in range(4))
        events = [
            MatchEvent(
                f"{number}-{place}", need, "shown", at,
                f"a{chance.randrange(ARTIFACTS)}", f"m{number}",
                f"c{chance.randrange(5)}", place, source=source,
            )
            for place in range(1, SHOWN + 1)
        ]  # fmt: skip
        if chance.random() < TOLD:
            outcome = chance.choice(OUTCOMES)
            slug, match = events[-1].artifact, events[-1].match
            told = MatchEvent(
                f"{number}-told", need, outcome, at, slug, match, source=source
            )
            events.append(told)
        yield events


def fill(log: EventLog, events: int, first: int = 0) -> None:
    """Append about so many events."""
    waiting: list[MatchEvent] = []
    for each in matches(first):
        waiting += each
        if len(waiting) >= min(events, 20_000):
            events -= log.append(waiting)
            waiting = []
        if events <= 0:
            return


def timed(act: Callable[[], Result]) -> tuple[float, Result]:
    """Return the seconds that something takes, and what it returns."""
    started = time.perf_counter()
    result = act()
    return time.perf_counter() - started, result


def starts(home: Path, checkpoint: Path | None, times: int = 1) -> float:
    """Return the median seconds of a start."""
    seconds = []
    for _ in range(times):
        took, history = timed(lambda: History(EventLog.beside(home), checkpoint))
        seconds.append(took)
        history.close()
        del history
    return statistics.median(seconds)


def log_row(events: int) -> str:
    """Return the row of a log of so many events."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        path = home / "graph.checkpoint"
        with closing(EventLog.beside(home)) as log:
            fill(log, events)
            count = len(log)
            bare = starts(home, None)
            first = starts(home, path)
            after = starts(home, path, STARTS)
            size = path.stat().st_size / 1e6
            fill(log, CHECKPOINT_EVERY - SHOWN - 2, first=count)
            newer = starts(home, path, STARTS)
    return (
        f"| {count:,} | {bare:.1f} s | {first:.1f} s | {after:.2f} s | {newer:.2f} s "
        f"| {size:.0f} MB |"
    )


def clustered(count: int, seed: int, falling: float) -> Vectors:
    """Return unit vectors around common centres, the axes' spread `falling`."""
    chance = np.random.default_rng(seed)
    spread = np.arange(1, WIDTH + 1) ** -falling
    common = np.random.default_rng(0)
    centres = common.normal(size=(CLUSTERS, WIDTH)) * spread
    turned, _ = np.linalg.qr(common.normal(size=(WIDTH, WIDTH)))
    vectors = centres[chance.integers(0, CLUSTERS, count)]
    far = chance.uniform(0.3, 1.2, size=(count, 1))
    vectors += chance.normal(size=(count, WIDTH)) * spread * far
    unit: Vectors = (vectors @ turned).astype(np.float32)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    return unit


def asked(search: Callable[[Vectors], object], needs: Vectors) -> str:
    """Return the median and the 99th percentile of the milliseconds of a need."""
    took = sorted(timed(lambda n=need: search(n))[0] * 1000 for need in needs)  # type: ignore[misc]  # mypy cannot infer a lambda with a default
    return f"{took[len(took) // 2]:.2f} / {took[len(took) * 99 // 100]:.2f} ms"


def needs_row(count: int, falling: float) -> str:
    """Return the row of so many past needs."""
    vectors, needs = clustered(count, 1, falling), clustered(ASKED, 2, falling)
    flat = faiss.IndexFlatIP(WIDTH)
    flat.add(vectors)
    built, neighbours = timed(lambda: Neighbours(vectors))
    more = np.concatenate([vectors, needs[:10]])
    added, _ = timed(lambda: Neighbours(more, neighbours))
    nearest = flat.search(needs, NEAREST)[1]
    found = [neighbours.search(each, NEAREST)[0] for each in needs]
    hits = [len(np.intersect1d(*each)) for each in zip(found, nearest, strict=True)]
    before = asked(lambda need: flat.search(need[None], NEAREST), needs)
    now = asked(lambda need: neighbours.search(need, NEAREST), needs)
    return (
        f"| {count:,} | {falling} | {before} | {now} "
        f"| {sum(hits) / NEAREST / len(needs):.4f} | {built:.2f} s | {added:.2f} s |"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("events", type=int, nargs="?", default=1_000_000)
    parser.add_argument("needs", type=int, nargs="?", default=100_000)
    given = parser.parse_args()
    faiss.omp_set_num_threads(1)
    print(
        "| past needs | spread falls by | one by one, p50 / p99 | as it is, p50 / p99"
    )
    for falling in (0.0, 0.5):
        print(needs_row(given.needs, falling), flush=True)
    print(
        "| events | start without | and writing one | from it | and newer ones | size"
    )
    print(log_row(given.events), flush=True)


if __name__ == "__main__":
    main()
