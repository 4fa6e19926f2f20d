"""What it costs that servers share generations and a log.

    python -m bench.sharing --home HOME [--events URL]

Pushes the generation in use in HOME to a folder, and pulls it into an empty home. Then
writes answers of ten hits as a server does, and outcomes one after the other, to a new
log in SQLite, and to the one at URL, an empty PostgreSQL. Prints rows for
bench/RESULTS.md.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from index.events import EventLog, MatchEvent, Outcome, Recorder
from index.home import Home
from index.store import Store

ANSWERS, HITS, TOLD = 5000, 10, 500


def event(match: int, position: int, outcome: Outcome) -> MatchEvent:
    return MatchEvent(
        f"{match}-{position}-{outcome}", f"a need of some words, the {match}th",
        outcome, datetime.now(UTC), f"artifact-{position}", f"{match:032}",
        f"capability-{position}", position, 1 / position, 1.0, "000001",
        legs={"keyword": 0.3 / position, "vector": 0.7 / position},
    )  # fmt: skip


def travels(home: Home) -> Iterable[str]:
    """Yield a row for a push and for a pull."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(f"{folder}/store")
        started = time.perf_counter()
        moved = store.push(home)
        pushed = time.perf_counter()
        store.pull(Home(Path(folder, "home")))
        pulled = time.perf_counter()
    counts = f"{moved.manifest.counts['capabilities']:,} | {moved.bytes / 1e6:,.0f} MB"
    yield f"| {counts} | {pushed - started:.1f} s | {pulled - pushed:.1f} s |"


def logs(log: EventLog) -> str:
    """Return a row for one log."""
    with closing(log), closing(Recorder(log)) as recorder:
        started = time.perf_counter()
        for match in range(ANSWERS):
            hits = (event(match, place, "shown") for place in range(1, HITS + 1))
            recorder.record(hits)
            if match % 100 == 0:  # as often as needs come, not faster than they can
                recorder.flush()
        recorder.flush()
        rate = ANSWERS * HITS / (time.perf_counter() - started)
        taken = []
        for match in range(TOLD):
            began = time.perf_counter()
            recorder.write([event(match, 1, "worked")])
            taken.append((time.perf_counter() - began) * 1000)
        assert len(log) == ANSWERS * HITS + TOLD
    p50, p99 = statistics.median(taken), statistics.quantiles(taken, n=100)[-1]
    kind = log.url.partition(":")[0]
    return f"| {kind} | {rate:,.0f} a second | {p50:.1f} / {p99:.1f} ms |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--events", help="an empty PostgreSQL")
    given = parser.parse_args()
    print(*travels(Home(given.home)), sep="\n")
    with tempfile.TemporaryDirectory() as folder:
        print(logs(EventLog.beside(Path(folder))))
    if given.events:
        print(logs(EventLog(given.events)))


if __name__ == "__main__":
    main()
