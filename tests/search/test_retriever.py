"""One contract, run over every retriever there is."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from index.hits import rank
from search.engine import Engine
from search.need import Need
from search.retriever import NEED_VECTORS, Retriever, VectorRetriever

NEEDS = (
    "grounded captioning of images",
    "Postgres MCP",
    "whisper",
    "like kosmos-2 but for speech",
    "xyzzy",
)


def understood(engine: Engine, text: str) -> Need:
    return engine.ranker.understand(Need.read(text))


@pytest.fixture(params=[0, 1, 2, 3], ids=["keyword", "vector", "name", "anchor"])
def retriever(engine: Engine, request: pytest.FixtureRequest) -> Retriever:
    number: int = request.param
    return engine.ranker.retrievers[number]


@pytest.mark.parametrize("text", NEEDS)
@pytest.mark.parametrize("k", [1, 2, 4])
def test_the_best_by_its_own_scores_are_proposed(
    retriever: Retriever, engine: Engine, text: str, k: int
) -> None:
    need, rows = understood(engine, text), np.arange(6)
    proposed = retriever.propose(need, k, None).tolist()
    assert len(set(proposed)) == len(proposed)
    best = rank(rows, retriever.score(need, rows), k)
    assert set(best.rows[best.scores > 0].tolist()) <= set(proposed)


@pytest.mark.parametrize("text", NEEDS)
def test_an_explanation_adds_up_to_the_score(
    retriever: Retriever, engine: Engine, text: str
) -> None:
    need, rows = understood(engine, text), np.arange(6)
    for row, score in zip(rows.tolist(), retriever.score(need, rows), strict=True):
        explanation = retriever.explain(need, row)
        leaves = sum(leaf.value for leaf in explanation.leaves())
        assert leaves == pytest.approx(score, abs=1e-6)
        assert explanation.value == pytest.approx(score, abs=1e-6)


@pytest.mark.parametrize("text", NEEDS)
def test_only_what_is_allowed_is_proposed(
    retriever: Retriever, engine: Engine, text: str
) -> None:
    among = np.array([False, True, False, True, True, False])
    rows = retriever.propose(understood(engine, text), 6, among)
    assert among[rows].all()


@settings(
    max_examples=50,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.text(min_size=2, max_size=60).map(lambda text: f"a1 {text}"))
def test_any_words_are_prose(retriever: Retriever, engine: Engine, text: str) -> None:
    retriever.propose(understood(engine, text), 3, None)


def test_a_repeated_need_is_encoded_once(engine: Engine) -> None:
    retriever = engine.ranker.retrievers[1]
    assert isinstance(retriever, VectorRetriever)
    need = Need.read("the same need")
    assert retriever.vector(need) is retriever.vector(need)


def test_remembered_needs_are_bounded(engine: Engine) -> None:
    retriever = engine.ranker.retrievers[1]
    assert isinstance(retriever, VectorRetriever)
    first = retriever.vector(Need.read("need 0"))
    for number in range(1, NEED_VECTORS + 1):
        retriever.vector(Need.read(f"need {number}"))
    assert len(retriever._vectors) == NEED_VECTORS
    assert retriever.vector(Need.read("need 0")) is not first
