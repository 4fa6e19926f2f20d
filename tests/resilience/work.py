"""What processes of the tests do; they are forked with all of this imported."""

from contextlib import closing
from datetime import UTC, datetime
from itertools import count
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from index.builder import build
from index.catalog import Catalog
from index.events import EventLog, MatchEvent, Recorder
from index.home import Home
from search.engine import Engine
from search.history import History
from search.need import Need
from tests.conftest import ARTIFACTS, HashingEncoder, to_catalog
from web.keys import Keys

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


def write_events(home: Path, first: int, acknowledged: Connection) -> None:
    """Write one event after the other, and tell its number once it is on the disk."""
    with closing(Recorder(EventLog.beside(home))) as recorder:
        for number in count(first):
            event = MatchEvent(f"{number}", "need", "worked", NOW, "a")
            recorder.record([event]).result()
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
