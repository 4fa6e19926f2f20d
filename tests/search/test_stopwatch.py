import threading
import time

import pytest

from search.engine import Engine
from search.need import Need
from search.stopwatch import start, timed


def test_a_part_has_the_sum_of_its_times() -> None:
    times = start()
    for _ in range(2):
        with timed("sleep"):
            time.sleep(0.01)
    assert 0.02 <= times["sleep"] < 1


def test_what_fails_took_its_time_too() -> None:
    times = start()
    with pytest.raises(ValueError, match="no"), timed("faulty"):
        raise ValueError("no")
    assert list(times) == ["faulty"]


def test_each_thread_times_itself() -> None:
    times = start()

    def other() -> None:
        with timed("elsewhere"):
            pass

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert times == {}


def test_an_answer_is_timed_part_by_part_and_no_longer_than_it_took(
    engine: Engine,
) -> None:
    times, started = start(), time.perf_counter()
    engine.search(Need.read("free captions on edge device"))
    took = time.perf_counter() - started
    legs = {"keyword", "vector", "name", "anchor"}
    assert set(times) == {"reading", "encoding", *legs, "fusion", "past", "explanation"}
    assert sum(times.values()) < took
