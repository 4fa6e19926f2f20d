"""How long a catalogue takes to build and to answer from, and how much memory.

    python bench/build.py PATH-OF-A-CATALOGUE

Builds it from nothing, again with 1 % of its capabilities changed, then asks from the
shell and in one process. Prints a row for bench/RESULTS.md.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from index.artifact import Artifact
from index.catalog import Catalog
from index.source import read
from search.need import Need
from web.settings import Settings, open_engine

NEED = "grounded captioning on edge device"
SHARE_CHANGED = 0.01


def instead(home: Path, *arguments: str) -> tuple[float, float, str]:
    """Run a command; return its wall seconds, peak memory in MB, and output."""
    started = time.perf_counter()
    result = subprocess.run(
        [sys.executable, "-m", "web", *arguments, "--home", str(home)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return seconds, peak, result.stdout


def changed(catalog: Catalog) -> list[Artifact]:
    """Return the artifacts with every hundredth capability described anew."""
    step = round(1 / SHARE_CHANGED)
    artifacts = []
    for artifact in catalog.values():
        first = int(catalog.starts[catalog.position(artifact.slug)])
        capabilities = tuple(
            each.model_copy(update={"description": f"{each.description} Changed."})
            if (first + place) % step == 0
            else each
            for place, each in enumerate(artifact.capabilities)
        )
        artifacts.append(artifact.model_copy(update={"capabilities": capabilities}))
    return artifacts


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("catalog", type=Path)
    path = parser.parse_args().catalog
    catalog = read([path])
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        search_ = ["search", NEED, "-k", "10"]
        cold, peak, _ = instead(home, "build", "--catalog", str(path), "--json")
        other = Path(folder) / "changed.jsonl"
        lines = (
            each.model_dump_json(exclude_defaults=True) for each in changed(catalog)
        )
        other.write_text("\n".join(lines), encoding="utf-8")
        warm, _, output = instead(home, "build", "--catalog", str(other), "--json")
        encoded = json.loads(output)["encoded"]
        shell = statistics.median(instead(home, *search_)[0] for _ in range(7))
        process = []
        with open_engine(Settings(home)) as engine:
            for number in range(200):
                need = Need.read(f"{NEED} {number}")
                started = time.perf_counter()
                engine.search(need)
                process.append((time.perf_counter() - started) * 1000)
    process.sort()
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}"
    print(
        f"| {time.strftime('%Y-%m-%d')} | {len(catalog):,} | "
        f"{catalog.capability_count:,} | {cold:.0f} s | {peak:,.0f} MB | {warm:.1f} s "
        f"({encoded} passages) | {shell:.2f} s | {process[100]:.1f} / "
        f"{process[198]:.1f} ms | {machine} |"
    )


if __name__ == "__main__":
    main()
