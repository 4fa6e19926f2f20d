"""One contract, run over every retriever there is."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

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
def test_a_ranking_is_distinct_and_best_first_ties_by_row(
    retriever: Retriever, engine: Engine, text: str
) -> None:
    ranking = retriever.retrieve(understood(engine, text), 4, None)
    assert len(set(ranking.rows.tolist())) == len(ranking.rows) <= 4
    order = np.lexsort((ranking.rows, -ranking.scores))
    np.testing.assert_array_equal(order, np.arange(len(ranking.rows)))


@pytest.mark.parametrize("text", NEEDS)
def test_scores_are_those_of_the_ranking(
    retriever: Retriever, engine: Engine, text: str
) -> None:
    ranking = retriever.retrieve(understood(engine, text), 6, None)
    scores = retriever.score(understood(engine, text), ranking.rows)
    np.testing.assert_allclose(scores, ranking.scores, rtol=1e-6)


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
def test_only_what_is_allowed_is_retrieved(
    retriever: Retriever, engine: Engine, text: str
) -> None:
    among = np.array([1, 3, 4])
    rows = retriever.retrieve(understood(engine, text), 6, among).rows
    assert set(rows.tolist()) <= set(among.tolist())


def test_a_smaller_k_is_the_head_of_a_larger_one(
    retriever: Retriever, engine: Engine
) -> None:
    need = understood(engine, "like kosmos-2 but for a meeting on a device")
    np.testing.assert_array_equal(
        retriever.retrieve(need, 2, None).rows,
        retriever.retrieve(need, 6, None).rows[:2],
    )


@settings(
    max_examples=50,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.text(min_size=2, max_size=60).map(lambda text: f"a1 {text}"))
def test_any_words_are_prose(retriever: Retriever, engine: Engine, text: str) -> None:
    retriever.retrieve(understood(engine, text), 3, None)


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
