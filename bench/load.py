"""Asks a server needs over HTTP and measures, in a process of its own.

    python -m bench.load PORT NEEDS [--clients C] [--first N] [--count N]

Each client keeps its connection and asks its share of the needs, one after the other.
Prints one JSON object: the milliseconds of each answer from sending to the last byte,
the seconds in all, and how many events the answers have to leave in the log.
"""

import argparse
import json
import threading
import time
from collections.abc import Sequence
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlencode


class Client:
    """One connection and what came over it."""

    def __init__(self, port: int, texts: Sequence[str]) -> None:
        """Prepare to ask for `texts`."""
        self._connection = HTTPConnection("127.0.0.1", port, timeout=60)
        self._paths = [
            f"/api/v1/search?{urlencode({'q': text, 'limit': 10})}" for text in texts
        ]
        self.ms: list[float] = []
        self.bodies: list[bytes] = []
        self.failed: list[str] = []

    def run(self) -> None:
        """Ask for all."""
        for path in self._paths:
            started = time.perf_counter()
            self._connection.request("GET", path)
            answer = self._connection.getresponse()
            body = answer.read()
            self.ms.append((time.perf_counter() - started) * 1000)
            self.bodies.append(body)
            if answer.status != 200:
                self.failed.append(f"{answer.status} for {path}")


def events(body: bytes) -> int:
    """Return how many events an answer leaves: one a hit, one where there is none."""
    return max(1, len(json.loads(body)["matches"]))


def main() -> None:
    """Ask and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("needs", type=Path)
    parser.add_argument("--clients", type=int, default=1)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=1000)
    given = parser.parse_args()
    lines = given.needs.read_text(encoding="utf-8").splitlines()
    texts = [json.loads(line)["text"] for line in lines][given.first :][: given.count]
    clients = [
        Client(given.port, texts[each :: given.clients])
        for each in range(given.clients)
    ]
    threads = [threading.Thread(target=each.run) for each in clients]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - started
    failed = [each for client in clients for each in client.failed]
    if failed:
        raise SystemExit(f"{len(failed)} requests failed: {failed[0]}")
    bodies = [body for client in clients for body in client.bodies]
    ms = [each for client in clients for each in client.ms]
    print(
        json.dumps({"ms": ms, "seconds": seconds, "events": sum(map(events, bodies))})
    )


if __name__ == "__main__":
    main()
