"""What somebody who is still typing may mean."""

import unicodedata
from dataclasses import dataclass

from index.generation import Generation
from search.need import Need
from search.ranking import Ranker

COMPLETIONS = 8


@dataclass(frozen=True, slots=True)
class Completion:
    """A text that continues what was typed; `slug` if it is an artifact's name."""

    text: str
    slug: str | None


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Completions, names first, and the text as it was probably meant, if otherwise."""

    text: str
    completions: tuple[Completion, ...]
    did_you_mean: str | None


def suggest(generation: Generation, ranker: Ranker, text: str) -> Suggestion:
    """Return what `text`, any beginning of a need or name, may be meant for.

    Names count by the beginning of any of their words, needs by that of the first. The
    last word may be unfinished, so it is taken for misspelt only if nothing begins so.
    """
    text = " ".join(unicodedata.normalize("NFC", text).split())
    phrases = generation.phrases.starting(text) if text else []
    ordered = sorted(phrases, key=lambda each: (each.slug is None, each.key, each.text))
    distinct = dict.fromkeys(Completion(each.text, each.slug) for each in ordered)
    unfinished = phrases or ranker.begins_word(text)
    finished = text[: text.rfind(" ") + 1] if unfinished else text
    meant = ranker.corrected(Need(finished)).corrected + text[len(finished) :]
    return Suggestion(
        text, tuple(distinct)[:COMPLETIONS], meant if meant != text else None
    )
