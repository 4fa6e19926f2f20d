"""The need: what somebody asks for, checked and normalised."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from index.artifact import TYPES
from index.errors import NeedError
from index.spelling import Correction

MIN_LENGTH, MAX_LENGTH = 2, 500
"""Characters of a need, spaces at its ends not counted."""


@dataclass(frozen=True, slots=True)
class Need:
    """A need as the engine reads it; `types` is empty where any type will do."""

    text: str
    types: frozenset[str] = frozenset()
    corrections: tuple[Correction, ...] = ()

    @property
    def topic(self) -> str:
        """What the retrievers look for: the text, misspelt words corrected."""
        topic, end = "", 0
        for each in self.corrections:
            topic += self.text[end : each.start] + each.read_as
            end = each.end
        return topic + self.text[end:]

    @classmethod
    def read(
        cls, text: str, types: Iterable[str] = (), limit: int | None = MAX_LENGTH
    ) -> "Need":
        """Return the need of a person's words; they are prose, never query syntax.

        Control characters count as spaces. Raises NeedError for a text that is too
        short, longer than `limit` or without a letter or digit, and for an unknown
        type.
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
        wanted = frozenset(types)
        unknown = sorted(wanted - set(TYPES))
        if unknown:
            message = f"no artifact has the type {unknown[0]!r}"
            raise NeedError(f"{message}; types are {', '.join(TYPES)}")
        return cls(text, wanted)
