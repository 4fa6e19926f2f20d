"""What a running server pays for each need it never heard before.

    python -m bench.growth [NEEDS]

Folds NEEDS (100,000) matches of ten hits, each of a need of its own, into a match
graph. Prints the bytes that each takes, and the processor's time of one event: on
average, and the most that one took.
"""

import argparse
import gc
import resource
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from index.events import MatchEvent
from search.graph import MatchGraph
from web.__main__ import ALLOCATIONS

NOW = datetime(2026, 10, 1, tzinfo=UTC)
HITS, ARTIFACTS, SOURCES, WARM = 10, 20_000, 500, 5000


def events(needs: int) -> Iterator[MatchEvent]:
    chance = Random(0)
    for number in range(needs):
        need = f"need {number} " + " ".join(chance.choices(WORDS, k=5))
        match, at = f"{chance.getrandbits(128):032x}", NOW + timedelta(minutes=number)
        source = f"s{chance.randrange(SOURCES)}"
        for place in range(1, HITS + 1):
            slug = f"owner--artifact-{chance.randrange(ARTIFACTS)}"
            yield MatchEvent(
                f"{match}-{place}", need, "shown", at, slug, match,
                f"capability-{place % 3}", place, source=source,
            )  # fmt: skip


WORDS = [f"word{number}" for number in range(3000)]


def memory() -> int:
    """Return the bytes that this process holds."""
    gc.collect()
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * resource.getpagesize()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("needs", type=int, nargs="?", default=100_000)
    given = parser.parse_args()
    graph, longest, spent, before, folded = MatchGraph(), 0.0, 0.0, 0, 0
    gc.freeze()  # as a server does, and the next
    gc.set_threshold(ALLOCATIONS, 20, 50)
    for number, event in enumerate(events(given.needs + WARM)):
        if number == WARM * HITS:
            before = memory()
        started = time.thread_time()
        graph.fold(event)
        took = time.thread_time() - started
        if number >= WARM * HITS:
            spent, longest, folded = spent + took, max(longest, took), folded + 1
    print(f"{(memory() - before) / given.needs:,.0f} bytes a need of {HITS} hits")
    print(
        f"{spent / folded * 1e6:.1f} us an event, {longest * 1000:.1f} ms the longest"
    )


if __name__ == "__main__":
    main()
