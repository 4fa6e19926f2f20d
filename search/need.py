"""The need: what somebody asks for, checked and normalised."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from index.artifact import TYPES
from index.errors import NeedError
from index.spelling import Correction
from search.constraint import Constraint, Mode

MIN_LENGTH, MAX_LENGTH = 2, 500
"""Characters of a need, spaces at its ends not counted."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """What a need compares with: `name`, said from `start` to `end`.

    `positions` are the artifacts that it may mean, none if it names no known one;
    `itself` are those of them that are the thing itself or a variant of it.
    """

    name: str
    text: str
    start: int
    end: int
    positions: tuple[int, ...] = ()
    itself: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Need:
    """A need as the engine reads it; `facets` are what its artifacts are kept to.

    `modes` flips constraints by key. `topic` is the need without its constraints;
    `sought`, what the retrievers look for, is the topic with the words of those
    constraints that most artifacts say nothing of: facts cannot decide them. `degraded`
    is why nothing is known of what it means, and words alone answer it; else None.
    """

    text: str
    facets: Mapping[str, frozenset[str]] = field(default_factory=dict)
    modes: Mapping[str, Mode] = field(default_factory=dict)
    corrections: tuple[Correction, ...] = ()
    topic: str = ""
    sought: str = ""
    constraints: tuple[Constraint, ...] = ()
    anchors: tuple[Anchor, ...] = ()
    degraded: str | None = None

    @property
    def types(self) -> frozenset[str]:
        """The types that artifacts are kept to, none where any will do."""
        return self.facets.get("type", frozenset())

    @property
    def corrected(self) -> str:
        """The text, misspelt words corrected."""
        text, end = "", 0
        for each in self.corrections:
            text += self.text[end : each.start] + each.read_as
            end = each.end
        return text + self.text[end:]

    def place(self, at: int) -> int:
        """Return where character `at` of the corrected text stands in the text."""
        shift = 0
        for each in self.corrections:
            start = each.start + shift
            if at <= start:
                break
            longer = len(each.read_as) - (each.end - each.start)
            if at < start + len(each.read_as):
                return min(each.start + at - start, each.end)
            shift += longer
        return at - shift

    @property
    def said(self) -> str:
        """The topic; empty where it only stands for a need that is all constraints."""
        alone = self.topic == self.corrected and (self.constraints or self.anchors)
        return "" if alone else self.topic

    @property
    def active(self) -> tuple[Constraint, ...]:
        """The constraints that are not switched off."""
        return tuple(each for each in self.constraints if each.mode != "off")

    @classmethod
    def read(
        cls,
        text: str,
        types: Iterable[str] = (),
        modes: Mapping[str, Mode] | None = None,
        limit: int | None = MAX_LENGTH,
        facets: Mapping[str, Iterable[str]] | None = None,
    ) -> "Need":
        """Return the need of a person's words; they are prose, never query syntax.

        Control characters count as spaces. `types` are short for the facet of types.
        Raises NeedError for a text that is too short, longer than `limit` or without a
        letter or digit, and for an unknown type.
        """
        text = unicodedata.normalize("NFC", text.encode(errors="replace").decode())
        text = re.sub(r"[\s\x00-\x1f\x7f-\x9f\u200b\ufeff]+", " ", text).strip()
        if len(text) < MIN_LENGTH:
            raise NeedError(f"a need has at least {MIN_LENGTH} characters; say more")
        if limit is not None and len(text) > limit:
            message = f"a need has at most {limit} characters, not {len(text):,}"
            raise NeedError(f"{message}; say it in one or two sentences")
        if not re.search(r"[^\W_]", text):
            raise NeedError("a need has words; say what the artifact should do")
        facets = {**(facets or {}), **({"type": types} if types else {})}
        kept = {name: frozenset(values) for name, values in facets.items()}
        unknown = sorted(kept.get("type", frozenset()) - set(TYPES))
        if unknown:
            message = f"no artifact has the type {unknown[0]!r}"
            raise NeedError(f"{message}; types are {', '.join(TYPES)}")
        kept = {name: values for name, values in kept.items() if values}
        return cls(text, kept, modes or {}, topic=text, sought=text)
