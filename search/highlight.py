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
    spans, _ = placed(capability.name, wanted)
    found = [Highlight("name", capability.name, tuple(spans))]
    sentences = _SENTENCE_END.split(capability.description)
    marked = [(sentence, *placed(sentence, wanted)) for sentence in sentences]
    sentence, spans, _ = max(marked, key=lambda each: len(each[2]))
    found.append(Highlight("description", sentence, tuple(spans)))
    return tuple(each for each in found if each.spans)
