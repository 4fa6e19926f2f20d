"""Memory stays flat, and what is remembered has a bound."""

import gc
import inspect
import sys
from collections.abc import Iterator
from contextlib import closing
from functools import _lru_cache_wrapper
from pathlib import Path
from typing import Any

import pytest

from index.events import EventLog
from index.home import Home
from search.engine import Engine
from search.history import History
from search.need import Need
from search.retriever import NEED_VECTORS
from tests.conftest import HashingEncoder
from tests.resilience.processes import all_at_once
from tests.resilience.work import answer_random_needs, build_changed, random_needs
from web.callers import Rates

GROWTH = 1.05


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("logged", [False, True])
@pytest.mark.parametrize(
    ("before", "requests"),
    [(500, 1500), pytest.param(40_000, 100_000, marks=pytest.mark.nightly)],
)
def test_memory_does_not_grow_with_the_requests(
    scratch: Path, before: int, requests: int, *, logged: bool
) -> None:
    build_changed(scratch, 0)
    given = (answer_random_needs, scratch, before, requests, logged)
    [(warm, after)] = all_at_once([given])
    assert after < warm * GROWTH, f"{warm:,} to {after:,} bytes"


def caches() -> Iterator[Any]:
    """Yield all caches of our functions that live."""
    for each in gc.get_objects():
        # By its type alone: asking a proxy what it is may be a fault of its own.
        if type(each) is _lru_cache_wrapper:
            package = (each.__module__ or "").partition(".")[0]
            if package in ("index", "search", "web"):
                yield each


def test_every_cache_has_a_bound_and_keeps_it(scratch: Path) -> None:
    build_changed(scratch, 0)
    with (
        Home(scratch).open() as generation,
        closing(History(EventLog.beside(scratch))) as history,
    ):
        engine = Engine(generation, HashingEncoder())
        for text in random_needs(1, 400):
            history.answered(engine.search(Need.read(text)))
        found = list(caches())
        assert len(found) >= 8
        for each in found:
            most = each.cache_parameters()["maxsize"]
            if most is None:  # then there is one thing that it can keep
                assert not inspect.signature(each).parameters, each.__qualname__
            else:
                assert each.cache_info().currsize <= most <= 100_000
        assert len(engine.ranker._vectors._vectors) <= NEED_VECTORS


def test_callers_are_remembered_up_to_a_bound() -> None:
    rates = Rates(remembered=100)
    for number in range(1000):
        rates.wait(f"203.0.113.{number}", 60, float(number))
    assert len(rates._free_at) == 100
