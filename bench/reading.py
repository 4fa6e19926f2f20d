"""How well and how fast needs are read, over the shipped catalogue.

    python bench/reading.py

Prints what share of the sentences of `tests/search/readings.jsonl` is read exactly, the
time for one, and the time for the most hostile needs that we know.
"""

import json
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from search.reading import Reading
from web.settings import Settings, build_generation, open_engine

SUITE = Path(__file__).parent.parent / "tests" / "search" / "readings.jsonl"
CACHE = Path(tempfile.gettempdir()) / "instead-quality" / "own"
REPEATS = 5

HOSTILE = {
    name: (text * 500)[:500]
    for name, text in {
        "negations": "not not but like ",
        "exclusions": "without a ",
        "anchors": "x alternative to ",
        "alternatives": "alternative ",
        "names": "whisper alternative like n8n but ",
        "lists": "mit or ",
        "gaps": "keep a b c d ",
        "quantities": "8 gb under ",
        "prices": "under $5 per 1000 ",
        "identifiers": "a1",
        "letters": "a ",
        "hyphens": "no-",
        "accents": "e\u0301",
        "direction": "\u202e",
        "planes": "".join(chr(plane * 65536 + 0x1F0) for plane in range(17)),
    }.items()
}


def agrees(found: Reading, sentence: Mapping[str, Any]) -> bool:
    """Return whether a reading is what a sentence means, its wishes included."""
    meant = sorted(
        [(False, *each[:2]) for each in sentence["constraints"]]
        + [(True, *each[:2]) for each in sentence["exclusions"]]
    )
    wishes = {(each[0], each[1]) for each in sentence["constraints"] if len(each) > 2}
    constraints = found.constraints
    return (
        sorted((each.excluded, each.name, each.value) for each in constraints) == meant
        and wishes <= {(e.name, e.value) for e in constraints if e.mode == "prefer"}
        and sorted(each.name for each in found.anchors) == sorted(sentence["anchors"])
    )


def main() -> None:
    """Measure and print."""
    settings = Settings(CACHE)
    build_generation(settings)
    sentences = [json.loads(line) for line in SUITE.read_text("utf-8").splitlines()]
    with open_engine(settings) as engine:
        read = engine.ranker._reader.read
        times, exact = [], 0
        for each in sentences:
            started = time.perf_counter()
            found = read(each["text"])
            times.append(time.perf_counter() - started)
            exact += agrees(found, each)
        p50, p99 = np.percentile(times, [50, 99]) * 1e3
        share = exact / len(sentences)
        print(
            f"{len(sentences)} sentences, {share:.1%} exact, {p50:.2f} / {p99:.2f} ms"
        )
        for name, text in HOSTILE.items():
            taken = []
            for _ in range(REPEATS):
                started = time.perf_counter()
                read(text)
                taken.append(time.perf_counter() - started)
            print(f"{name}: {np.median(taken) * 1e3:.2f} ms")


if __name__ == "__main__":
    main()
