"""The keyword index: Whoosh's inverted index, and its postings compiled to impacts.

Whoosh is the index of record: it analyses, stores postings and holds the statistics.
Scoring its postings one by one in Python costs milliseconds at 10,000 capabilities, so
they are compiled once, when the index is built: an impact is what a posting adds to a
score, and answering a need adds up arrays.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from whoosh.analysis import STOP_WORDS, Filter, RegexTokenizer, Token
from whoosh.lang.porter import stem
from whoosh.query import Or, Query, Term
from whoosh.scoring import BM25F

from index.artifact import Artifact, Capability
from index.hits import Ranking, Rows, Scores, above, first

FIELDS = {
    "artifact": 1.0,
    "name": 1.0,
    "description": 1.0,
    "unique": 0.5,
    "intents": 1.0,
    "tags": 0.5,
}
"""Each field's weight. Names weigh as much as descriptions: BM25F already favours
short fields; boosting them further gained nothing on judged needs."""

BM25 = BM25F(B=0.75, K1=1.2)
"""Whoosh's BM25F; k1 and b are its defaults and within .003 nDCG@10 of the best met."""

WHOLE = slice(None)
"""All capabilities."""

REMEMBERED = 8
"""Needs whose scores are remembered: one is asked for them again and again."""

_PARTS = re.compile(
    r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])"
    r"|(?<=[^\W\d])(?=\d)|(?<=\d)(?=[^\W\d])"
)
"""Borders inside an identifier: camel case, and between letters and digits."""


WORD = re.compile(r"[^\W_]+")


@lru_cache(maxsize=100_000)
def terms_of(word: str) -> tuple[str, ...]:
    """Return the terms of one word: its lower-cased stem, none for a stop word.

    An identifier is kept whole and in parts. `patch14` gives patch14, patch and 14;
    `getCustomsInfo` gives itself, get, custom and info: one finds an identifier by any
    of its spellings.
    """
    parts = _PARTS.sub(" ", word).split()
    texts = dict.fromkeys([word, *parts] if len(parts) > 1 else [word])
    lowered = (text.lower() for text in texts)
    return tuple(stem(text) for text in lowered if text not in STOP_WORDS)


class TermFilter(Filter):
    """Every word as its terms, all at the word's own position."""

    # The two signatures that Whoosh itself gives this method exclude each other.
    def __call__(  # type: ignore[override]  # for that reason
        self, tokens: Iterable[Token]
    ) -> Iterator[Token]:
        """Yield each token as its terms."""
        for token in tokens:
            for term in terms_of(token.text):
                token.text = term
                yield token


ANALYZER = RegexTokenizer(WORD) | TermFilter()


def placed(text: str, wanted: frozenset[str]) -> tuple[list[tuple[int, int]], set[str]]:
    """Return where words of `text` stand that have a term of `wanted`; these terms.

    Start and end of each word, as ANALYZER has them: Whoosh's own tokens would cost
    twice as much, for every text of every page.
    """
    spans: list[tuple[int, int]] = []
    met: set[str] = set()
    for word in WORD.finditer(text):
        terms = terms_of(word[0])
        if not wanted.isdisjoint(terms):
            spans.append(word.span())
            met.update(wanted.intersection(terms))
    return spans, met


@lru_cache(maxsize=4096)
def analyse(text: str) -> tuple[str, ...]:
    """Return the distinct terms of `text` in order of appearance.

    A need's term counts once however often it is said: that alone lifts nDCG@10 of
    one judged set from .80 to .85.
    """
    terms = chain.from_iterable(map(terms_of, WORD.findall(text)))
    return tuple(dict.fromkeys(terms))


def query(terms: Sequence[str]) -> Query:
    """Return the Whoosh query of a need: any term in any field, fields weighed.

    Its scores are those of KeywordIndex.score; the tests hold the two together.
    """
    return Or(
        [
            Term(field, term, boost=weight)
            for term in terms
            for field, weight in FIELDS.items()
        ]
    )


def fields(artifact: Artifact, capability: Capability) -> dict[str, str]:
    """Return what each field holds of one capability."""
    return {
        "artifact": artifact.name,
        "name": capability.name,
        "description": capability.description,
        "unique": capability.unique or "",
        "intents": ". ".join(capability.intents),
        "tags": ". ".join([*artifact.tags, *artifact.categories]),
    }


class KeywordIndex:
    """The compiled impacts of a built index, memory-mapped."""

    def __init__(self, folder: Path, part: slice = WHOLE) -> None:
        """Open what `postings` wrote to `folder`; of it only the rows of `part`.

        What is said of terms is said of the whole, so that scores are the same.
        """
        table = json.loads((folder / "terms.json").read_bytes())
        start, end, _ = part.indices(table["capabilities"])
        self._start, self._end = start, end
        self._is_part = end - start < table["capabilities"]
        self._numbers = {term: number for number, term in enumerate(table["terms"])}
        self._offsets = np.load(folder / "offsets.npy")
        # Plain arrays over the mapped files: slices of a memmap cost ten times more.
        self._rows = np.asarray(np.load(folder / "rows.npy", mmap_mode="r"))
        self._impacts = np.asarray(np.load(folder / "impacts.npy", mmap_mode="r"))
        self.totals: Scores = np.load(folder / "totals.npy")
        """Each capability's score for a need of all its own terms, each once."""
        self._tops: Scores = np.load(folder / "tops.npy")
        self.score = lru_cache(maxsize=REMEMBERED)(self._score)
        """Every capability's BM25F score for some terms, 0 where none occurs.

        Of a part, the first score is that of its first capability.
        """
        once = self._tops[np.diff(self._offsets) == 1]
        self._rare = float(once.mean()) if len(once) else float(self._tops.max())

    def postings(self, term: str) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Return the rows of the capabilities with `term`, ascending, and impacts."""
        number = self._numbers.get(term)
        start, end = (0, 0) if number is None else self._offsets[number : number + 2]
        if self._is_part:
            border = np.array([self._start, self._end], dtype=np.int32)
            start, end = start + self._rows[start:end].searchsorted(border)
        return self._rows[start:end], self._impacts[start:end]

    def impact(self, term: str, row: int) -> float:
        """Return what `term` adds to the score of capability `row`, 0 if nothing."""
        rows, impacts = self.postings(term)
        place = int(rows.searchsorted(np.int32(row)))
        found = place < len(rows) and int(rows[place]) == row
        return float(impacts[place]) if found else 0.0

    def has(self, term: str, rows: Rows) -> NDArray[np.bool_]:
        """Return which of the capabilities `rows` have `term`."""
        found, _ = self.postings(term)
        if not len(found):
            return np.zeros(len(rows), dtype=np.bool_)
        wanted = rows.astype(np.int32)  # of another type, all of `found` is copied
        places = np.minimum(found.searchsorted(wanted), len(found) - 1)
        same: NDArray[np.bool_] = found[places] == wanted
        return same

    def frequency(self, term: str) -> int:
        """Return how many capabilities have `term`."""
        return len(self.postings(term)[0])

    def ceiling(self, terms: Sequence[str]) -> float:
        """Return the score of a capability that had the best impact of every term.

        A term that no capability has counts like one that a single capability has.
        """
        numbers = [self._numbers[term] for term in terms if term in self._numbers]
        unknown = len(terms) - len(numbers)
        return float(self._tops[numbers].sum()) + unknown * self._rare

    def has_term(self, term: str) -> bool:
        """Return whether any capability has `term`."""
        return term in self._numbers

    def _score(self, terms: tuple[str, ...]) -> Scores:
        scores = np.zeros(self._end - self._start)
        for term in terms:
            rows, impacts = self.postings(term)
            rows = rows - np.int32(self._start) if self._start else rows
            # Of equal types, `add.at` takes 2 ns a posting; of others, 60.
            np.add.at(scores, rows, impacts.astype(np.float64))
        scores.setflags(write=False)
        return scores

    def score_of(self, terms: tuple[str, ...], rows: Rows) -> Scores:
        """Return the BM25F scores of the capabilities `rows`."""
        scores: Scores = self.score(terms)[rows - self._start]
        return scores

    def propose(
        self, terms: tuple[str, ...], k: int, among: NDArray[np.bool_] | None = None
    ) -> Ranking:
        """Return the k capabilities that score best for `terms`, ties by row.

        Those which `among` is true for, if it is given; fewer than k if fewer have any
        of the terms. Ascending.
        """
        scores = self.score(terms)
        scores = scores if among is None else scores * among
        rows = above(scores, k)
        best = first(rows, scores[rows], k)
        return Ranking(best.rows + self._start, best.scores)
