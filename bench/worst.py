"""How long do the worst needs take? Each of fifty, in a home that is built.

    python -m bench.worst [--home DIR] [--times 5]

The encoder's share is in it; needs are encoded anew each time.
"""

import argparse
import statistics
import time
from collections import Counter
from pathlib import Path

from search.need import Need
from tests.resilience.worst import worst
from web.settings import Settings, open_engine


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, default=Settings.read().home)
    parser.add_argument("--times", type=int, default=5)
    given = parser.parse_args()
    with open_engine(Settings(given.home)) as engine:
        counts = engine.generation.manifest.counts
        words = Counter(engine.generation.spelling._counts)
        terms = [word for word, _ in words.most_common(2000)]
        names = [engine.catalog[slug].name for slug in engine.catalog.slugs[::7]]
        taken = []
        for text in worst(names, terms):
            asked = Need.read(text)
            engine.search(asked)
            times = []
            for _ in range(given.times):
                engine.ranker._vectors._vectors.clear()
                started = time.perf_counter()
                engine.search(asked)
                times.append((time.perf_counter() - started) * 1000)
            taken.append((statistics.median(times), text))
    print(f"{counts['artifacts']:,} artifacts, {counts['capabilities']:,} capabilities")
    for ms, text in sorted(taken, reverse=True):
        print(f"{ms:8.1f} ms  {text[:60]!r}")
    over = sum(ms >= 100 for ms, _ in taken)
    print(f"median {statistics.median(ms for ms, _ in taken):.1f} ms, {over} over 100")


if __name__ == "__main__":
    main()
