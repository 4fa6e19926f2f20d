"""How long do the worst needs take? Each of fifty, in a home that is built.

    python -m bench.worst [--home DIR] [--times 5]

The encoder's share is in it; needs are encoded anew each time. Wall clock
first, then the processor's time, all threads added up, which other load disturbs less;
and both of a usual need, for comparison.
"""

import argparse
import statistics
import time
from collections import Counter
from pathlib import Path

from search.need import Need
from tests.resilience.worst import worst
from web.settings import Settings, open_engine

USUAL, LIMIT_MS = "grounded captioning on edge device", 100


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
        taken: list[tuple[float, float, str]] = []
        for text in [USUAL, *worst(names, terms)]:
            asked = Need.read(text)
            engine.search(asked)
            times = []
            for _ in range(given.times):
                engine.ranker._vectors._vectors.clear()
                started, busy = time.perf_counter(), time.process_time()
                engine.search(asked)
                ended, idle = time.perf_counter(), time.process_time()
                times.append(((ended - started) * 1000, (idle - busy) * 1000))
            wall, cpu = (statistics.median(each) for each in zip(*times, strict=True))
            taken.append((wall, cpu, text))
    print(f"{counts['artifacts']:,} artifacts, {counts['capabilities']:,} capabilities")
    usual, rest = taken[0], taken[1:]
    print(f"{usual[0]:8.1f} ms {usual[1]:8.1f} ms  usual: {usual[2]!r}")
    for wall, cpu, text in sorted(rest, key=lambda each: -each[1]):
        print(f"{wall:8.1f} ms {cpu:8.1f} ms  {text[:60]!r}")
    for kind, spent in (
        ("wall clock", [wall for wall, _, _ in rest]),
        ("processor", [cpu for _, cpu, _ in rest]),
    ):
        over = sum(ms >= LIMIT_MS for ms in spent)
        print(
            f"{kind}: median {statistics.median(spent):.1f} ms, {over} over {LIMIT_MS}"
        )


if __name__ == "__main__":
    main()
