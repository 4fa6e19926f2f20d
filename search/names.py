"""Which artifacts and makers the words of a need may name."""

from collections.abc import Callable, Sequence

from index.catalog import Catalog
from index.claims import Claims
from index.grammar import grammar
from index.keyword import analyse
from index.slots import Token, tokens
from search.need import Anchor

RARE, STRANGE = 6, 20
"""Artifacts from which on a word says what things are, not which: a common word, and
one that the language does not have."""

NAME_WORDS, MAKER_WORDS = 6, 3


class Names:
    """The names of one catalogue's artifacts and makers, as people say them."""

    def __init__(
        self,
        catalog: Catalog,
        claims: Claims,
        is_word: Callable[[str], bool],
        has_term: Callable[[str], bool],
    ) -> None:
        """Know the names of `catalog`.

        `is_word` tells a common word from a name, `has_term` what records speak of.
        """
        self._catalog = catalog
        self._claims = claims
        self._is_word = is_word
        self._has_term = has_term
        self._words = grammar().words

    def anchor(
        self, name: str, text: str, start: int, end: int, positions: Sequence[int]
    ) -> Anchor:
        """Return an anchor; variants of a thing, as sizes and versions, are itself."""
        exact = self._catalog.names.named(name).tolist()
        variants = self._words["variants"]
        plain = [each.word for each in tokens(name)]
        itself = exact or [
            each
            for each in positions
            if all(
                word.word in variants or word.word[0].isdecimal()
                for word in tokens(self._catalog.at(each).name)
                if word.word not in plain and word.word != "."
            )
        ]
        return Anchor(name, text, start, end, tuple(positions), tuple(itself))

    def is_kind(self, words: Sequence[str]) -> bool:
        """Return whether tags, categories or capability names have all `words`."""
        return all(len(self._claims.with_claim(f"kind={each}")) for each in words)

    def thing(
        self, text: str, words: Sequence[Token], at: int
    ) -> tuple[int, list[int]]:
        """Return where the longest known name from word `at` ends, and its artifacts.

        A name may be an artifact's, the beginning of several, or a part of some.
        """
        stops = self._words["stops"]
        last = at
        while last < min(at + NAME_WORDS, len(words)) and words[last].word not in ",;:":
            last += 1
        for end in range(last, at, -1):
            said = text[words[at].start : words[end - 1].end]
            if words[end - 1].word in stops or not said[0].isalnum():
                continue
            found = self._catalog.names.named(said)[: None if end > at + 1 else 0]
            if not len(found) and self._is_rare(words[at:end]):
                found = self._catalog.names.called(said)
            if len(found):
                return end, found.tolist()
        return at, []

    def mentioning(self, name: str) -> list[int]:
        """Return the artifacts with `name` in theirs: WhisperX is Whisper too."""
        positions: list[int] = self._catalog.names.containing(name).tolist()
        return positions

    def _is_function(self, word: str) -> bool:
        kinds = ("generic", "stops", "fillers")
        return any(word in self._words[each] for each in kinds)

    def _is_rare(self, words: Sequence[Token]) -> bool:
        """Return whether one of `words` is not what many artifacts are or do."""
        if len(words) > 1 and words[0].end == words[1].start:
            return True  # context7, gpt4all
        return any(
            self._kinds(each.word) < self._common(each.word)
            for each in words
            if each.word.isalpha() and each.word not in self._words["stops"]
        )

    def _common(self, word: str) -> int:
        """Return of how many artifacts a common word says what they are."""
        least = STRANGE if self.is_strange(word) else RARE
        return max(least, 2 * self._catalog.names.with_word(word))

    def _kinds(self, word: str) -> int:
        return len(self._claims.with_claim(f"kind={word}"))

    def is_name(self, text: str) -> bool:
        """Return whether `text` is an artifact's very name."""
        return len(self._catalog.names.named(text)) > 0

    def is_own(self, name: str, position: int) -> bool:
        """Return whether an artifact is called so, not only its maker."""
        return name in self._catalog.at(position).name.casefold()

    def is_said(self, word: str) -> bool:
        """Return whether any record has `word`; excluding another changes nothing."""
        return all(self._has_term(each) for each in analyse(word))

    def is_strange(self, word: str) -> bool:
        """Return whether `word` is none of the language's common words."""
        return not self._is_word(word)

    def maker(self, words: Sequence[Token], at: int) -> tuple[int, list[int]]:
        """Return where the longest maker's name from word `at` ends; its artifacts."""
        for end in range(min(at + MAKER_WORDS, len(words)), at, -1):
            name = "".join(each.word for each in words[at:end])
            found = self._claims.with_claim(f"provider={name}")
            # "Without a browser" does not speak of the makers of Browser Use.
            common = self._kinds(name) > max(2 * len(found), STRANGE / 2)
            if len(found) and not common and not self._is_function(name):
                return end, found.tolist()
        return at, []
