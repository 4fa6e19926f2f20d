"""A push or pull that is killed, or done by several at once, spoils nothing."""

import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

from index.generation import verify
from index.home import Home
from tests.resilience import disk
from tests.resilience.processes import all_at_once
from tests.resilience.work import build_changed, pull_from, push_to


class Shared(NamedTuple):
    """A store, the home that it is pushed from, and one that is a generation behind."""

    store: Path
    builder: Path
    behind: Path
    digests: list[str]

    def pulled(self, home: Path) -> str:
        """Return the digest in use in `home`, after a look at all that it holds."""
        held = Home(home)
        for each in held.ids():
            verify(held.folder(each))
        with held.open() as generation:
            assert generation.id == held.current()
            return generation.manifest.digest


@pytest.fixture
def shared(scratch: Path) -> Shared:
    store, builder, behind = (scratch / each for each in ("store", "builder", "behind"))
    digests = []
    for number in range(2):
        build_changed(builder, number)
        digests.append(push_to(store, builder))
        if number == 0:
            pull_from(store, behind)
    return Shared(store, builder, behind, digests)


STEPS = pytest.mark.parametrize("step", [9, pytest.param(1, marks=pytest.mark.nightly)])


@disk.NEEDED
@STEPS
def test_a_pull_killed_before_any_of_its_operations_leaves_what_was_in_use(
    shared: Shared, scratch: Path, step: int
) -> None:
    number, killed = 1, 0
    while True:
        home = scratch / "home"
        shutil.copytree(shared.behind, home)
        verdict = disk.dies_before(number)
        done, operations = disk.watched(home, verdict, pull_from, shared.store, home)
        assert shared.pulled(home) in shared.digests
        if done is not None:
            assert len(operations) < number
            break
        killed += 1
        assert pull_from(shared.store, home) == shared.digests[1]
        assert shared.pulled(home) == shared.digests[1]
        assert not [*Home(home).folder("000002").parent.glob(".*")]
        shutil.rmtree(home)
        number += step
    assert killed > 50 / step


@disk.NEEDED
@STEPS
def test_a_push_killed_before_any_of_its_operations_leaves_what_can_be_pulled(
    shared: Shared, scratch: Path, step: int
) -> None:
    number, killed = 1, 0
    build_changed(shared.builder, 2)
    while True:
        store, home = scratch / "copy", scratch / "home"
        shutil.copytree(shared.store, store)
        verdict = disk.dies_before(number)
        done, _ = disk.watched(store, verdict, push_to, store, shared.builder)
        # The last operations come after the name.
        assert pull_from(store, home) in (
            shared.pulled(shared.builder),
            *shared.digests,
        )
        if done is not None:
            assert shared.pulled(home) == done
            break
        killed += 1
        assert push_to(store, shared.builder) == pull_from(store, home)
        shutil.rmtree(store)
        shutil.rmtree(home)
        number += step
    assert killed > 20 / step


def test_pulls_and_pushes_at_once_come_to_the_same(
    shared: Shared, scratch: Path
) -> None:
    new = scratch / "new"
    pulls = [(pull_from, shared.store, new)] * 3
    pushes = [(push_to, shared.store, shared.builder)] * 2
    digests = all_at_once([*pulls, *pushes])
    assert {*digests} == {shared.digests[1]}
    assert shared.pulled(new) == shared.digests[1]
    assert not [*Home(new).folder("000002").parent.glob(".*")]
