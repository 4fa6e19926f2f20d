"""One contract, run over every retriever there is."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from search.engine import Engine
from search.need import Need
from search.retriever import NEED_VECTORS, Retriever, VectorRetriever

NEEDS = ("grounded captioning of images", "Postgres MCP", "whisper", "xyzzy")


@pytest.fixture(params=[0, 1, 2], ids=["keyword", "vector", "name"])
def retriever(engine: Engine, request: pytest.FixtureRequest) -> Retriever:
    number: int = request.param
    return engine.ranker.retrievers[number]


@pytest.mark.parametrize("text", NEEDS)
def test_a_ranking_is_distinct_and_best_first_ties_by_row(
    retriever: Retriever, text: str
) -> None:
    ranking = retriever.retrieve(Need.read(text), 4)
    assert len(set(ranking.rows.tolist())) == len(ranking.rows) <= 4
    order = np.lexsort((ranking.rows, -ranking.scores))
    np.testing.assert_array_equal(order, np.arange(len(ranking.rows)))


@pytest.mark.parametrize("text", NEEDS)
def test_scores_are_those_of_the_ranking(retriever: Retriever, text: str) -> None:
    ranking = retriever.retrieve(Need.read(text), 6)
    scores = retriever.score(Need.read(text), ranking.rows)
    np.testing.assert_allclose(scores, ranking.scores, rtol=1e-6)


@pytest.mark.parametrize("text", NEEDS)
def test_an_explanation_adds_up_to_the_score(retriever: Retriever, text: str) -> None:
    need, rows = Need.read(text), np.arange(6)
    for row, score in zip(rows.tolist(), retriever.score(need, rows), strict=True):
        explanation = retriever.explain(need, row)
        leaves = sum(leaf.value for leaf in explanation.leaves())
        assert leaves == pytest.approx(score, abs=1e-6)
        assert explanation.value == pytest.approx(score, abs=1e-6)


def test_only_the_types_wanted_are_retrieved(
    retriever: Retriever, engine: Engine
) -> None:
    for text in ("postgres", "whisper"):
        rows = retriever.retrieve(Need.read(text, ["mcp", "app"]), 6).rows
        owners = engine.catalog.owners[rows]
        assert set(engine.catalog.types[owners].tolist()) <= {"mcp", "app"}
    assert len(retriever.retrieve(Need.read("postgres", ["mcp"]), 6).rows) > 0


def test_a_smaller_k_is_the_head_of_a_larger_one(retriever: Retriever) -> None:
    need = Need.read("describe a picture or a meeting on a device")
    np.testing.assert_array_equal(
        retriever.retrieve(need, 2).rows, retriever.retrieve(need, 6).rows[:2]
    )


@settings(
    max_examples=50,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.text(min_size=2, max_size=60).map(lambda text: f"a1 {text}"))
def test_any_words_are_prose(retriever: Retriever, text: str) -> None:
    retriever.retrieve(Need.read(text), 3)


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
