"""What takes part in bench/speed.py on our side, and what parts of ours stand beside.

Each function returns what answers one question after the other, in the process that
calls it.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.contest import Answerer, Question
from bench.peers import (
    DEPTH,
    SHOWN,
    WHOOSH,
    Flat,
    Found,
    Peer,
    Place,
    model_folder,
    reciprocal_rank,
)
from index.encoder import NeedEncoder
from index.generation import Generation
from index.hits import Ranking, rank
from index.home import Home
from index.keyword import BM25, analyse, query
from index.model import find
from search.engine import Engine
from search.need import Need
from search.retriever import KeywordRetriever, Retriever, VectorRetriever
from web.settings import Settings, open_engine, open_history


class Looked:
    """A need encoder whose vectors are given."""

    def __init__(self, encoder: NeedEncoder) -> None:
        """Know words as `encoder` does."""
        self.is_word = encoder.is_word
        self.vector: Any = None

    def encode_need(self, text: str) -> Any:
        """Return the vector that was given last."""
        return self.vector


def our_keyword(home: Path) -> Answerer:
    """Return our keyword leg."""
    leg = KeywordRetriever(Home(home).open().keyword)
    return lambda question: _best(leg, question)


def _best(leg: Retriever, question: Question) -> Ranking:
    need = Need.read(question.text)
    rows = leg.propose(need, DEPTH, None)
    return rank(rows, leg.score(need, rows), DEPTH)


def whoosh(home: Path) -> Answerer:
    """Return Whoosh's own search of the same index."""
    from whoosh.index import open_dir

    folder = Home(home).open().folder
    searcher = open_dir(str(folder / WHOOSH)).searcher(weighting=BM25)

    def answer(question: Question) -> Ranking:
        hits = searcher.search(query(analyse(question.text)), limit=DEPTH)
        found = [(hit.docnum, hit.score) for hit in hits]
        rows = np.array([row for row, _ in found], dtype=np.int64)
        return Ranking(rows, np.array([score for _, score in found]))

    return answer


def our_vector(home: Path) -> Answerer:
    """Return our vector leg, vectors given."""
    generation = Home(home).open()
    looked = Looked(_encoder(generation))
    leg = VectorRetriever(generation.vector, looked)

    def answer(question: Question) -> Found:
        looked.vector = question.vector
        found: Found = _best(leg, question).rows.tolist()
        return found

    return answer


def flat(place: Place) -> Answerer:
    """Return FAISS over the same vectors."""
    index = Flat(place.read_vectors())
    return lambda question: index(question.vector)


def our_legs(home: Path) -> Answerer:
    """Return our two legs, fused like those of peers, vectors given."""
    generation = Home(home).open()
    looked = Looked(_encoder(generation))
    legs = (
        KeywordRetriever(generation.keyword),
        VectorRetriever(generation.vector, looked),
    )

    def answer(question: Question) -> Found:
        looked.vector = question.vector
        return reciprocal_rank(_best(leg, question).rows.tolist() for leg in legs)

    return answer


def our_ranker(home: Path) -> Answerer:
    """Return our four legs, each judging what any proposes, vectors given."""
    generation = Home(home).open()
    looked = Looked(_encoder(generation))
    ranker = Engine(generation, looked).ranker

    def answer(question: Question) -> Found:
        looked.vector = question.vector
        found = ranker.candidates(Need.read(question.text))
        best: Found = rank(found.rows, found.scores, SHOWN).rows.tolist()
        return best

    return answer


def peer(kind: type[Peer], place: Place) -> Answerer:
    """Return another search, both legs."""
    opened = kind(place)
    return lambda question: opened(question.text, question.vector)


def built_peer(
    kind: type[Peer], place: Place, asked: Sequence[Question]
) -> tuple[float, list[Found]]:
    """Return the seconds that a peer takes to build, and what its vectors find."""
    started = time.perf_counter()
    kind.build(place)
    seconds = time.perf_counter() - started
    opened = kind(place)
    return seconds, [opened.nearest(each.vector) for each in asked]


def ours(home: Path) -> Answerer:
    """Return our engine: a need becomes explained hits, its encoding included."""
    engine = open_engine(Settings(home))
    return lambda question: len(engine.search(Need.read(question.text)).hits)


def ours_logged(home: Path) -> Answerer:
    """Return our engine, which tells the milliseconds that logging the answer takes."""
    settings = Settings(home)
    engine, history = open_engine(settings), open_history(settings)

    def answer(question: Question) -> float:
        found = engine.search(Need.read(question.text))
        started = time.perf_counter()
        history.answered(found)
        return (time.perf_counter() - started) * 1000

    return answer


def our_encoder(home: Path) -> Answerer:
    """Return the encoder of a generation."""
    encoder = _encoder(Home(home).open())
    return lambda question: encoder.encode_need(question.text)


def torch_encoder() -> Answerer:
    """Return sentence-transformers, one need at a time."""
    encode = _sentence_transformer().encode
    return lambda question: encode(question.text, normalize_embeddings=True)


def our_passages() -> Answerer:
    """Return the encoder of a build; a question is of many passages, one a line."""
    encoder = find()
    return lambda question: encoder.encode_passages(question.text.split("\n"))


def torch_passages() -> Answerer:
    """Return sentence-transformers, as many passages."""
    encode = _sentence_transformer().encode
    return lambda question: encode(question.text.split("\n"), normalize_embeddings=True)


def _sentence_transformer() -> Any:
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(model_folder()))


def _encoder(generation: Generation) -> NeedEncoder:
    encoder = generation.encoder()
    assert encoder, "the generation has no encoder of its own"
    return encoder
