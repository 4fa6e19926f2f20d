"""What of a capability's text the words of a need are found in."""

import re
from dataclasses import dataclass

from index.artifact import Capability
from index.keyword import analyse, placed

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


@dataclass(frozen=True, slots=True)
class Highlight:
    """A text of a field, and the (start, end) character spans of the need's words."""

    field: str
    text: str
    spans: tuple[tuple[int, int], ...]


def highlights(topic: str, capability: Capability) -> tuple[Highlight, ...]:
    """Return the name and the description's best sentence, where words are found.

    The best sentence holds the most distinct words of the topic; the first of ties.
    """
    wanted = frozenset(analyse(topic))
    found = [Highlight("name", capability.name, _spans(capability.name, wanted)[0])]
    sentences = _SENTENCE_END.split(capability.description)
    marked = [(sentence, *_spans(sentence, wanted)) for sentence in sentences]
    sentence, spans, _ = max(marked, key=lambda each: each[2])
    found.append(Highlight("description", sentence, spans))
    return tuple(each for each in found if each.spans)


def _spans(
    text: str, wanted: frozenset[str]
) -> tuple[tuple[tuple[int, int], ...], int]:
    """Return where words of `wanted` stand in `text`, and how many distinct ones."""
    spans: dict[tuple[int, int], None] = {}
    met = set()
    for term, span in placed(text):
        if term in wanted:
            spans[span] = None
            met.add(term)
    return tuple(spans), len(met)
