"""Who does the work of a build: this process, several of this machine, or a cluster.

What is to be done goes there by value and comes back by value: a worker needs `instead`
installed, and no folder of whoever builds.
"""

import os
import pickle
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor
from functools import lru_cache
from itertools import repeat
from typing import Any, Protocol, Self, TypeVar

from index.errors import EngineError, WorkerError
from index.nodes import check, join

Input = TypeVar("Input")
Output = TypeVar("Output")

RETRIES = 5
"""How often a call may lose its node, or its process, before a build gives up."""


class Workers(Protocol):
    """Calls functions that depend on nothing but what they are given.

    So it does not matter who calls one, nor whether it is called twice.
    """

    def map(
        self, function: Callable[[Input], Output], inputs: Iterable[Input]
    ) -> Iterator[Output]:
        """Return what `function` returns for each of `inputs`, in their order.

        Work may begin at once. Raises what `function` raises, and WorkerError where
        nobody is left to do it.
        """
        ...

    def __enter__(self) -> Self:
        """Be ready; WorkerError if that cannot be."""
        ...

    def __exit__(self, *failure: object) -> None:
        """Leave nothing running."""
        ...


class Here:
    """This process: one input after the other, each when its output is asked for."""

    def map(
        self, function: Callable[[Input], Output], inputs: Iterable[Input]
    ) -> Iterator[Output]:
        """Return what `function` returns for each of `inputs`, in their order."""
        return map(function, inputs)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        pass


HERE = Here()


class Processes:
    """Processes of this machine, which end with this one."""

    def __init__(self, count: int) -> None:
        """Let there be `count` of them while it is entered."""
        self._count = count

    def __enter__(self) -> Self:
        # Every command imports this module, and hardly any begins processes.
        import multiprocessing
        from concurrent.futures import ProcessPoolExecutor

        # Not forked: the libraries here have threads, which a fork leaves behind.
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(self._count, context, _begin)
        return self

    def __exit__(self, *failure: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def map(
        self, function: Callable[[Input], Output], inputs: Iterable[Input]
    ) -> Iterator[Output]:
        """Return what `function` returns for each of `inputs`, in their order."""
        return self._told(self._pool.map(_call, repeat(pickle.dumps(function)), inputs))

    @staticmethod
    def _told(outputs: Iterator[Output]) -> Iterator[Output]:
        try:
            yield from outputs
        except BrokenExecutor as error:
            message = "a process of the build was killed, perhaps for want of memory"
            raise WorkerError(
                f"{message}; build again, with fewer --workers if it was"
            ) from error


def _begin() -> None:
    """Make this process one that works for the one that started it, and no longer."""
    from multiprocessing import parent_process
    from multiprocessing.connection import wait

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is for that one to stop
    os.environ["OMP_NUM_THREADS"] = "1"  # each has a core
    parent = parent_process()
    assert parent is not None

    def follow() -> None:
        wait([parent.sentinel])
        os._exit(1)  # whoever was killed could tell nobody

    threading.Thread(target=follow, daemon=True).start()


def _call(packed: bytes, given: Any) -> Any:
    return _unpacked(packed)(given)


@lru_cache(maxsize=2)
def _unpacked(packed: bytes) -> Callable[[Any], Any]:
    """Return a function once for all inputs: it may hold much."""
    function: Callable[[Any], Any] = pickle.loads(packed)  # noqa: S301  # of this build
    return function


class Cluster:
    """The nodes of a Ray cluster. A node that is lost costs the time of its work."""

    def __init__(self, address: str) -> None:
        """Name the cluster by its address; raises what `nodes.check` does."""
        check(address)
        self._address = address

    def __enter__(self) -> Self:
        self._ray = join(self._address)
        return self

    def __exit__(self, *failure: object) -> None:
        self._ray.shutdown()

    def map(
        self, function: Callable[[Input], Output], inputs: Iterable[Input]
    ) -> Iterator[Output]:
        """Return what `function` returns for each of `inputs`, in their order."""
        call = self._ray.remote(max_retries=RETRIES)(_call)
        packed = self._ray.put(pickle.dumps(function))
        return self._got(deque(call.remote(packed, each) for each in inputs))

    def _got(self, outputs: deque[Any]) -> Iterator[Any]:
        exceptions = self._ray.exceptions
        while outputs:
            try:
                yield self._ray.get(outputs.popleft())
            except exceptions.RayTaskError as error:
                if isinstance(error.cause, EngineError):
                    raise error.cause from error
                what = f"{type(error.cause).__name__}: {error.cause}"
                raise WorkerError(
                    f"a node of the cluster cannot build: {what}; "
                    "every node needs the same version of instead"
                ) from error
            except exceptions.RayError as error:
                what = str(error).strip().split("\n")[0]
                raise WorkerError(
                    f"the cluster lost work of the build {RETRIES + 1} times: {what}"
                ) from error
