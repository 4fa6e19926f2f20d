"""What shards on a Ray cluster cost: the same engine over them and by itself.

    python -m bench.shards HOME NEEDS [--shards N] [--replicas M] [--count C]

HOME holds a generation, NEEDS are {"text"} lines. Starts a cluster of three nodes on
this machine, so that what is measured is the price of the way there, not the gain of
other machines. Each need is asked once by each, one after the other, so that both meet
the same noise; then CLIENTS ask as fast as they can.
"""

import argparse
import json
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from index.cluster import Layout, ShardCluster
from index.home import Home
from search.engine import Engine
from search.need import Need

CLIENTS = 4


def seconds(engine: Engine, text: str) -> float:
    started = time.perf_counter()
    engine.search(Need.read(text, limit=None))
    return time.perf_counter() - started


def rate(engine: Engine, texts: Sequence[str]) -> float:
    started = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as clients:
        list(clients.map(lambda text: seconds(engine, text), texts))
    return len(texts) / (time.perf_counter() - started)


def line(name: str, times: Sequence[float]) -> str:
    p50, p99 = np.percentile(np.array(times) * 1000, [50, 99])
    return f"{name:24}{p50:8.1f} ms p50 {p99:8.1f} ms p99"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("home", type=Path)
    parser.add_argument("needs", type=Path)
    parser.add_argument("--shards", type=int, default=2)
    parser.add_argument("--replicas", type=int, default=2)
    parser.add_argument("--count", type=int, default=300)
    given = parser.parse_args()
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    from ray.cluster_utils import Cluster

    lines = given.needs.read_text(encoding="utf-8").splitlines()
    texts = [json.loads(each)["text"] for each in lines][: 2 * given.count]
    cores = given.shards * given.replicas
    nodes = Cluster(True, False, {"num_cpus": 1, "include_dashboard": False})
    for _ in range(2):
        nodes.add_node(num_cpus=cores)
    cluster = ShardCluster(Layout(nodes.address, given.shards, given.replicas))
    with Home(given.home).open() as generation:
        encoder = generation.encoder()
        assert encoder
        started = time.perf_counter()
        shards = cluster.shards(generation)
        print(f"shards ready after {time.perf_counter() - started:.1f} s")
        engines = {
            "one machine": Engine(generation, encoder),
            f"{given.shards} x {given.replicas}": Engine(
                generation, encoder, shards=shards
            ),
        }
        none: tuple[list[int], list[int]] = ([], [])
        nothing = dict.fromkeys(range(given.shards), none)
        empty = []
        for _ in range(given.count):
            started = time.perf_counter()
            shards.ask("score", nothing)
            empty.append(time.perf_counter() - started)
        print(line("a scatter of nothing", empty))
        times: dict[str, list[float]] = {name: [] for name in engines}
        for text in texts[: given.count]:
            for name, engine in engines.items():
                times[name].append(seconds(engine, text))
        for name, engine in engines.items():
            per_s = rate(engine, texts[given.count :])
            print(f"{line(name, times[name][10:])} {per_s:8.1f} a second")
    cluster.close()
    nodes.shutdown()


if __name__ == "__main__":
    main()
