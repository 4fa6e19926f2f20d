"""Rebuilds under load: no request fails, and no answer mixes generations."""

import re
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from index.builder import build
from index.home import Home
from tests.conftest import HashingEncoder, to_catalog
from tests.web.conftest import served

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="gunicorn needs fork")

ARTIFACTS, CALLERS, PATIENCE_S = 12, 4, 2.0

BACK = 4
"""Of so many switches, the last goes back to the generation before."""


def edition(number: int) -> list[dict[str, Any]]:
    """Return a catalogue in which everything names the edition it is from."""
    return [
        {
            "slug": f"artifact-{each}",
            "name": f"Artifact {each} edition{number}",
            "type": "model",
            "provider": f"edition{number}",
            "capabilities": [
                {
                    "name": f"Captions of edition{number}",
                    "description": f"Captions pictures as of edition{number}.",
                }
            ],
        }
        # Some come and some go, so that positions mean others each time.
        for each in range(number % 3, ARTIFACTS + number % 5)
    ]


PATHS = (
    "/api/v1/search?q=captions+of+pictures&limit=50&explain=1",
    "/api/v1/artifacts?limit=100",
    "/api/v1/artifacts/artifact-5",
    "/api/v1/compare?a=artifact-3&b=artifact-7&q=captions",
    "/api/v1/artifacts/artifact-6/alternatives",
    "/search?q=captions+of+pictures",
    "/artifact/artifact-5",
)


def editions(text: str) -> set[str]:
    """Return the editions that an answer names."""
    return set(re.findall(r"edition([0-9]+)", text))


@contextmanager
def load(address: str, faults: list[str], asked: list[str]) -> Iterator[None]:
    """Ask `address` from several callers all the while."""
    over = threading.Event()

    def ask(paths: Sequence[str]) -> None:
        with requests.Session() as session:
            while not over.is_set():
                for path in paths:
                    try:
                        answer = session.get(f"{address}{path}", timeout=30)
                    except requests.RequestException as error:
                        faults.append(f"{path}: {error}")
                        return
                    asked.append(path)
                    named = editions(answer.text)
                    if answer.status_code != 200 or len(named) != 1:
                        faults.append(f"{path}: {answer.status_code}, of {named}")

    threads = [
        threading.Thread(target=ask, args=(PATHS[number:] + PATHS[:number],))
        for number in range(CALLERS)
    ]
    for each in threads:
        each.start()
    try:
        yield
    finally:
        over.set()
        for each in threads:
            each.join()


def rebuilt(home: Home, times: int) -> None:
    """Serve `home` under load, and switch so many times: to a new build, or back."""
    faults: list[str] = []
    asked: list[str] = []
    build(to_catalog(edition(0)), HashingEncoder(), home)
    with served(home.path) as address, load(address, faults, asked):
        for number in range(1, times + 1):
            if number % BACK:
                manifest = build(to_catalog(edition(number)), HashingEncoder(), home)
            else:
                manifest = home.rollback()
            built = time.monotonic()
            while True:
                ready = requests.get(f"{address}/readyz", timeout=30).json()
                if ready["generation"] == manifest.id:
                    break
                assert time.monotonic() - built < PATIENCE_S, "it is not picked up"
                time.sleep(0.05)
            time.sleep(0.2)
    assert not faults, faults[:5]
    assert len(asked) > times * len(PATHS)


@pytest.mark.parametrize("times", [20, pytest.param(200, marks=pytest.mark.nightly)])
def test_switches_under_load_fail_no_request_and_mix_nothing(
    tmp_path: Path, times: int
) -> None:
    rebuilt(Home(tmp_path / "home"), times)
