"""Explanations: a value, its text, and the parts that it is the sum of."""

import math
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Explanation:
    """A number with its reason; a branch's value is the sum of its leaves."""

    value: float
    text: str
    parts: tuple["Explanation", ...] = ()
    leg: str | None = None
    """The retriever whose score it is, for a part of a fused score."""

    @classmethod
    def total(cls, text: str, parts: tuple["Explanation", ...]) -> "Explanation":
        """Return the explanation of a sum."""
        return cls(math.fsum(part.value for part in parts), text, parts)

    def scaled(self, factor: float) -> "Explanation":
        """Return the same explanation with every value times `factor`."""
        parts = tuple(part.scaled(factor) for part in self.parts)
        return Explanation(self.value * factor, self.text, parts)

    def leaves(self) -> Iterator["Explanation"]:
        """Yield the parts that have no parts."""
        if not self.parts:
            yield self
        for part in self.parts:
            yield from part.leaves()
