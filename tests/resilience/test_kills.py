"""A killed build leaves the old generation, never a bad one."""

import random
import signal
import time
from pathlib import Path

import pytest

from index.generation import verify
from index.home import Home
from tests.resilience import disk
from tests.resilience.processes import begun
from tests.resilience.work import build_changed, changed_catalog


def sound(home: Home, before: str | None, built: int) -> str:
    """Return the id in use: the one before or the one built, and nothing is bad."""
    with home.open() as generation:
        id_ = generation.id
        digest = generation.manifest.catalog
    assert home.current() == id_
    assert id_ == before or digest == changed_catalog(built).digest
    for each in home.ids():
        verify(home.folder(each))
    return id_


@pytest.mark.skipif(not disk.possible(), reason="the kernel watches no process here")
@pytest.mark.parametrize("rounds", [1, pytest.param(8, marks=pytest.mark.nightly)])
def test_a_build_killed_before_any_of_its_operations_leaves_no_bad_generation(
    scratch: Path, rounds: int
) -> None:
    home = Home(scratch)
    for number in range(3):
        build_changed(scratch, number)
    killed = 0
    for _ in range(rounds):
        operation = 0
        done = None
        while done is None:
            operation += 1
            before = home.current()
            verdict = disk.dies_before(operation)
            done, _ = disk.watched(scratch, verdict, build_changed, scratch, operation)
            sound(home, before, operation)
            killed += done is None
    assert killed > 100 * rounds
    id_ = build_changed(scratch, 0)
    assert sound(home, None, 0) == id_
    assert not list(home.folder(id_).parent.glob(".*"))


def seconds(home: Path) -> float:
    """Return how long a build in a process of its own takes."""
    with begun(build_changed, home, 1) as process:
        started = time.monotonic()
        process.join()
        return time.monotonic() - started


@pytest.mark.parametrize("kills", [60, pytest.param(1000, marks=pytest.mark.nightly)])
def test_a_build_killed_at_any_moment_leaves_no_bad_generation(
    scratch: Path, kills: int
) -> None:
    home = Home(scratch)
    build_changed(scratch, 0)
    moments = random.Random(10)
    usual = min(seconds(scratch) for _ in range(3))
    survived = 0
    for number in range(kills):
        before = home.current()
        with begun(build_changed, scratch, number) as process:
            process.join(moments.uniform(0, usual))
            process.kill()
            process.join()
            survived += process.exitcode == 0
            assert process.exitcode in (0, -signal.SIGKILL)
        sound(home, before, number)
    assert survived < kills * 0.9
