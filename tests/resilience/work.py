"""What processes of the tests do; they are forked with all of this imported."""

import gc
import json
import re
import resource
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from itertools import count
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from typing import Any

from index.builder import build
from index.catalog import Catalog
from index.events import EventLog, MatchEvent, Recorder
from index.home import Home
from index.store import Store
from search.engine import Engine
from search.history import History
from search.need import Need
from tests.conftest import ARTIFACTS, HashingEncoder, to_catalog
from web.app import create_app
from web.current import CurrentEngine
from web.keys import Keys
from web.settings import Settings, open_history

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)


def changed(number: int) -> list[dict[str, Any]]:
    """Return the artifacts with one capability's description changed."""
    first, *others = ARTIFACTS
    capability = {**first["capabilities"][0], "description": f"Version {number}."}
    capabilities = [capability, *first["capabilities"][1:]]
    return [{**first, "capabilities": capabilities}, *others]


def changed_catalog(number: int) -> Catalog:
    """Return them as a catalogue."""
    return to_catalog(changed(number))


def build_changed(home: Path, number: int) -> str:
    """Build that catalogue, and return the generation's id."""
    return build(changed_catalog(number), HashingEncoder(), Home(home)).id


def push_to(store: Path, home: Path) -> str:
    """Push what is in use, and return its digest."""
    return Store(str(store)).push(Home(home)).manifest.digest


def pull_from(store: Path, home: Path) -> str:
    """Pull what is in use, and return its digest."""
    return Store(str(store)).pull(Home(home)).manifest.digest


def write_events(home: Path, first: int, acknowledged: Connection) -> None:
    """Write one event after the other, and tell its number once it is on the disk."""
    with closing(Recorder(EventLog.beside(home))) as recorder:
        for number in count(first):
            event = MatchEvent(f"{number}", "need", "worked", NOW, "a")
            recorder.write([event])
            acknowledged.send(number)


def answer_and_tell(home: Path, times: int) -> list[str]:
    """Answer needs and take outcomes as a server does; return the matches' ids."""
    matches = []
    with (
        Home(home).open() as generation,
        closing(History(EventLog.beside(home))) as history,
    ):
        engine = Engine(generation, HashingEncoder())
        for number in range(times):
            answer = engine.search(Need.read(f"grounded captioning {number}"), 3)
            match = history.answered(answer)
            history.told(match, answer.hits[0].artifact.slug, "worked")
            matches.append(match)
    return matches


def add_keys(home: Path, prefix: str, times: int) -> list[str]:
    """Add API keys, and return them."""
    keys = Keys(home)
    return [keys.add(f"{prefix}{number}") for number in range(times)]


def random_needs(seed: int, count_: int) -> Iterator[str]:
    """Yield needs of words of the catalogue and of words that nobody ever said."""
    chance = Random(seed)
    known = re.findall(r"\w+", json.dumps(ARTIFACTS))
    for _ in range(count_):
        unknown = ["".join(chance.choices("etaoinshr", k=7)) for _ in range(3)]
        yield " ".join([*chance.choices(known, k=5), *unknown])


def answer_random_needs(
    home: Path, before: int, count_: int, logged: bool
) -> tuple[int, int]:
    """Answer needs over HTTP's application; return the memory before and after.

    What is logged is what a few people ask again and again: the match graph, which
    grows with the needs that are told apart, is data.
    """
    settings = Settings(home, None, lambda setting: HashingEncoder(), rate=0)
    agent = {"User-Agent": "a browser" if logged else "a bot"}
    with closing(open_history(settings)) as history:
        client = create_app(
            CurrentEngine(settings, history), history, settings
        ).test_client()

        def ask(seed: int, requests: int) -> int:
            few = [*random_needs(0, 200)] * (requests // 200 + 1)
            asked = few[:requests] if logged else random_needs(seed, requests)
            for text in asked:
                query = {"q": text, "limit": 3}
                client.get("/api/v1/search", query_string=query, headers=agent)
            history.flush()
            gc.collect()
            pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
            return int(pages) * resource.getpagesize()

        return ask(1, before), ask(2, count_)
