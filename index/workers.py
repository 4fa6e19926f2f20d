"""Who does the work of a build: this process, several of this machine, or a cluster."""

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, Self, TypeVar

Input = TypeVar("Input")
Output = TypeVar("Output")


class Workers(Protocol):
    """Calls functions that depend on nothing but what they are given.

    So it does not matter who calls one, nor whether it is called twice.
    """

    def map(
        self, function: Callable[[Input], Output], inputs: Iterable[Input]
    ) -> Iterator[Output]:
        """Return what `function` returns for each of `inputs`, in their order."""
        ...

    def __enter__(self) -> Self:
        """Be ready."""
        ...

    def __exit__(self, *failure: object) -> None:
        """Leave nothing behind."""
        ...


class Here:
    """This process: one input after the other, each when its output is asked for."""

    def map(
        self, function: Callable[[Input], Output], inputs: Iterable[Input]
    ) -> Iterator[Output]:
        """Return what `function` returns for each of `inputs`, in their order."""
        return map(function, inputs)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *failure: object) -> None:
        """Do nothing."""
