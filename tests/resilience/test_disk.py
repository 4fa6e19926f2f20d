"""Every failing write, sync and rename, and a full disk: the old state and one line."""

import errno
import json
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from index.adapter import Adapter
from index.builder import adapt
from index.errors import StorageError
from index.events import EventLog
from index.generation import verify
from index.home import Home
from tests.conftest import HashingEncoder, to_jsonl
from tests.resilience import disk
from tests.resilience.processes import Result, command
from tests.resilience.work import build_changed, changed, changed_catalog, push_to
from web.keys import Keys

BATCH = 20
"""Operations refused between two looks whether there are more."""


class State(NamedTuple):
    """What a home holds, as far as a command could change it."""

    used: str
    catalog: str
    ids: tuple[str, ...]
    events: frozenset[str]
    keys: tuple[str, ...]

    @classmethod
    def of(cls, folder: Path) -> "State":
        """Return the state of a home, all of whose generations are sound."""
        home = Home(folder)
        for id_ in home.ids():
            verify(home.folder(id_))
        with home.open() as generation, closing(EventLog.beside(folder)) as log:
            assert home.current() == generation.id
            ids = [each.id for _, each in log.after()]
            assert len(ids) == len(set(ids))
            return cls(
                generation.id,
                generation.manifest.catalog,
                tuple(home.ids()),
                frozenset(ids),
                tuple(each.name for each in Keys(folder).all()),
            )


def past(path: Path, said: str, at: str) -> Path:
    """Write a file of five past needs."""
    lines = (
        {"need": f"{said} {n}", "artifact": "kosmos-2", "outcome": "worked", "at": at}
        for n in range(5)
    )
    path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    return path


@pytest.fixture
def furnished(scratch: Path) -> Path:
    """A folder with a home that has generations, events and keys, and with files."""
    home = scratch / "template"
    for number in range(3):
        build_changed(home, number)
    old = past(scratch / "old.jsonl", "captions", "2026-08-21T10:00:00Z")
    past(scratch / "new.jsonl", "else", "2026-10-21T10:00:00Z")
    to_jsonl(changed(9), scratch / "changed.jsonl")
    shutil.copytree(home, scratch / "builder")
    build_changed(scratch / "builder", 9)
    push_to(scratch / "store", scratch / "builder")
    assert command(home, "events", "import", str(old)).exit == 0
    assert command(home, "keys", "add", "known").exit == 0
    return scratch


def adapted(home: Path) -> Result:
    """Publish what was learned, as `instead learn` does."""
    matrix = np.zeros((HashingEncoder.width, HashingEncoder.width), dtype=np.float32)
    try:
        adapt(Home(home), Adapter(matrix), {"needs": 1})
    except StorageError as error:
        return Result(1, "", f"instead: {error}")
    return Result(0, "", "")


def built(before: State, after: State) -> None:
    assert after.used > before.used
    assert after.catalog == changed_catalog(9).digest


def rolled_back(before: State, after: State) -> None:
    assert after == before._replace(used=before.ids[-2], catalog=after.catalog)
    assert after.catalog == changed_catalog(1).digest


def imported(before: State, after: State) -> None:
    assert after == before._replace(events=after.events)
    assert len(after.events) == 10


def forgotten(before: State, after: State) -> None:
    assert after == before._replace(events=frozenset())


def key_added(before: State, after: State) -> None:
    assert after == before._replace(keys=("another", "known"))


def learned(before: State, after: State) -> None:
    assert after.used > before.used
    assert after.catalog == before.catalog


def unchanged(before: State, after: State) -> None:
    assert after == before


CHANGES: dict[str, tuple[tuple[str, ...], Callable[[State, State], None]]] = {
    "build": (("build", "--catalog", "{folder}/changed.jsonl"), built),
    "pull": (("pull", "{folder}/store"), built),
    "push": (("push", "{home}/store"), unchanged),
    "rollback": (("rollback",), rolled_back),
    "learn": ((), learned),
    "import": (("events", "import", "{folder}/new.jsonl"), imported),
    "forget": (("events", "forget", "--before", "2026-09-01"), forgotten),
    "keys": (("keys", "add", "another"), key_added),
    "export": (("events", "export", "{home}/out.jsonl"), unchanged),
}
"""Commands that change a home, and what must have become of it if they succeed."""

KINDS: dict[str, Callable[[int], disk.Verdict]] = {
    "an error": lambda number: disk.fails_once(number, errno.EIO),
    "a full disk": disk.fails_from,
    "no room once": lambda number: disk.fails_once(number, errno.ENOSPC),
}


def attempts(
    furnished: Path, words: tuple[str, ...], kinds: list[str]
) -> Iterator[tuple[Result, State, State, str]]:
    """Yield what a command comes to, each of its operations refused in its turn."""
    template = furnished / "template"
    before = State.of(template)

    def attempt(number: int) -> tuple[Result, State, State, str] | None:
        home = furnished / f"home-{number}"
        shutil.copytree(template, home)
        kind = kinds[number % len(kinds)]
        said = [each.format(folder=furnished, home=home) for each in words]
        work: Callable[..., Result] = command if words else adapted
        result, operations = disk.watched(home, KINDS[kind](number), work, home, *said)
        if len(operations) < number:
            shutil.rmtree(home)
            return None
        refused = operations[number - 1]
        where = f"{kind} at {refused.name} {refused.path.relative_to(home)}"
        after = State.of(home)
        whole(home, result, before)
        shutil.rmtree(home)
        return result, before, after, where

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in count(1, BATCH):
            found = [*pool.map(attempt, range(start, start + BATCH))]
            yield from filter(None, found)
            if None in found:
                assert start > 1 or found.count(None) < BATCH
                return


def whole(home: Path, result: Result, before: State) -> None:
    """Hold an export that succeeded to what was to be exported."""
    out = home / "out.jsonl"
    if out.exists() and result.exit == 0:
        lines = out.read_text(encoding="utf-8").splitlines()
        assert {json.loads(each)["id"] for each in lines} == before.events


@disk.NEEDED
@pytest.mark.parametrize(
    "change",
    [
        pytest.param(each, marks=pytest.mark.nightly if each == "push" else [])
        for each in CHANGES
    ],
)
@pytest.mark.parametrize(
    "kinds",
    [
        pytest.param(["an error", "a full disk"], id="in turn"),
        *(pytest.param([kind], marks=pytest.mark.nightly, id=kind) for kind in KINDS),
    ],
)
def test_each_operation_that_the_disk_refuses_leaves_the_old_state_and_one_line(
    furnished: Path, change: str, kinds: list[str]
) -> None:
    words, succeeded = CHANGES[change]
    refused = 0
    for result, before, after, where in attempts(furnished, words, kinds):
        assert result.exit in (0, 1), where
        if result.exit == 0:
            succeeded(before, after)
            continue
        refused += 1
        *others, line = result.errors.splitlines()
        assert line.startswith("instead: "), where
        assert "a fault of its own" not in line, where
        assert not [each for each in others if "instead:" in each], where
        if "events are removed, but traces of them stay" in line:
            forgotten(before, after)
        elif change == "forget" and not after.events:
            assert "past-needs" in line or "graph" in line, where
        else:
            assert after == before, where
    assert refused > 2


@disk.NEEDED
def test_a_search_is_answered_whatever_the_disk_refuses(furnished: Path) -> None:
    words = ("search", "grounded captioning")
    for result, before, after, where in attempts(furnished, words, [*KINDS]):
        assert result.exit == 0, where
        assert " 1  Kosmos-2" in result.output, where
        assert after == before._replace(events=after.events)
