"""Contestants in processes of their own, asked the same needs in turn.

Each has its memory and its threads to itself, and is measured where it answers. They
are asked a few needs at a time, one after the other, so that a machine that slows down
slows all of them down.
"""

import gc
import multiprocessing
import statistics
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

AT_ONCE = 25
"""Needs that one contestant is asked before the next one's turn."""


class Question(NamedTuple):
    """A need, and its vector where it is given."""

    text: str
    vector: NDArray[np.float32]


Answerer = Callable[[Question], Any]

Result = TypeVar("Result")


class Times(NamedTuple):
    """Milliseconds of each need."""

    ms: list[float]

    @property
    def p50(self) -> float:
        """The median."""
        return statistics.median(self.ms)

    @property
    def p99(self) -> float:
        """What one need in a hundred takes longer than."""
        return sorted(self.ms)[min(len(self.ms) - 1, len(self.ms) * 99 // 100)]


class Contestant:
    """What `make` returns, in a process of its own; `ready_s` is how long that took."""

    def __init__(self, make: Callable[[], Answerer], first: Question) -> None:
        """Start it, and wait until it has answered a first need."""
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        started = time.monotonic()
        self._process = context.Process(target=_serve, args=(make, first, theirs))
        self._process.start()
        theirs.close()
        self._pipe.recv()
        self.ready_s = time.monotonic() - started

    def ask(self, questions: Sequence[Question]) -> tuple[list[float], list[Any]]:
        """Return the milliseconds of each answer, and the answers."""
        self._pipe.send(("ask", questions))
        ms, answers = self._pipe.recv()
        return ms, answers

    def at_once(self, questions: Sequence[Question], clients: int) -> float:
        """Return how many needs a second are answered when `clients` ask."""
        self._pipe.send(("at once", questions, clients))
        rate: float = self._pipe.recv()
        return rate

    @property
    def memory_mb(self) -> float:
        """Its memory, what it shares with others counted in part."""
        return memory_mb(self._process.pid or 0)

    def close(self) -> None:
        """End it."""
        self._pipe.send(None)
        self._process.join(10)
        self._process.terminate()


def _serve(make: Callable[[], Answerer], first: Question, pipe: Connection) -> None:
    answer = make()
    answer(first)
    pipe.send("ready")
    gc.freeze()
    while order := pipe.recv():
        if order[0] == "ask":
            ms, answers = [], []
            for question in order[1]:
                started = time.perf_counter()
                answers.append(answer(question))
                ms.append((time.perf_counter() - started) * 1000)
            pipe.send((ms, answers))
        else:
            pipe.send(_rate(answer, *order[1:]))


def _rate(answer: Answerer, questions: Sequence[Question], clients: int) -> float:
    def work(own: Iterable[Question]) -> None:
        for question in own:
            answer(question)

    threads = [
        threading.Thread(target=work, args=(questions[each::clients],))
        for each in range(clients)
    ]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(questions) / (time.perf_counter() - started)


def rounds(
    contestants: Sequence[Contestant], questions: Sequence[Question]
) -> list[tuple[Times, list[Any]]]:
    """Return each contestant's times and answers; all are asked the same, in turn."""
    found: list[tuple[Times, list[Any]]] = [(Times([]), []) for _ in contestants]
    for turn, start in enumerate(range(0, len(questions), AT_ONCE)):
        asked = questions[start : start + AT_ONCE]
        for place in range(len(contestants)):
            number = (place + turn) % len(contestants)
            ms, answers = contestants[number].ask(asked)
            found[number][0].ms.extend(ms)
            found[number][1].extend(answers)
    return found


def apart(act: Callable[..., Result], *given: Any) -> Result:
    """Return what `act` returns of what is given, in a process of its own."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(act, *given).result()


def memory_mb(pid: int) -> float:
    """Return the megabytes of a process and all it started, shared pages by share."""
    total = 0.0
    for each in [pid, *_descendants(pid)]:
        try:
            lines = Path(f"/proc/{each}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue  # ended meanwhile
        total += sum(int(x.split()[1]) for x in lines if x.startswith("Pss:")) / 1024
    return total


def _descendants(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            found += [child, *_descendants(child)]
    return found
