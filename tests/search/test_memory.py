from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from index import vector
from index.catalog import Catalog
from index.events import EventLog, MatchEvent, Outcome
from index.home import Home
from search.engine import Engine
from search.evaluation import evaluate
from search.graph import MatchGraph, Outcomes
from search.history import History
from search.memory import Memory
from search.need import Need
from tests.conftest import HashingEncoder
from web.payload import why
from web.settings import Settings, forget_learned, taught

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)


def past(*told: tuple[str, str, Outcome]) -> list[MatchEvent]:
    return [
        MatchEvent(str(number), need, outcome, NOW + timedelta(hours=number), slug)
        for number, (need, slug, outcome) in enumerate(told)
    ]


def teach(engine: Engine, *told: tuple[str, str, Outcome]) -> bool:
    return engine.ranker.memory.learn(MatchGraph(past(*told)))


def slugs(engine: Engine, text: str) -> list[str]:
    return [hit.artifact.slug for hit in engine.search(Need.read(text)).hits]


NEED = "draw a picture of tables"


def teach_the_last(engine: Engine) -> str:
    """Return what is shown last for NEED, and worked for needs like it.

    What is shown first has a past too, with other needs.
    """
    first, *_, last = slugs(engine, NEED)
    told: list[tuple[str, str, Outcome]] = []
    for number in range(6):
        told.append((f"{NEED} {number}", last, "worked"))
        told.append((f"zebra {number}", first, "worked"))
    assert teach(engine, *told)
    return last


def test_votes_count_less_where_the_favourite_has_no_past(engine: Engine) -> None:
    first, *_, last = slugs(engine, NEED)
    artifacts = np.array([engine.catalog.position(each) for each in (first, last)])
    vector = engine.ranker._encoder.encode_need(NEED)
    teach(engine, *[(f"{NEED} {n}", last, "worked") for n in range(6)])
    unseen = engine.ranker.memory.lift(vector, artifacts)[1]
    teach_the_last(engine)
    assert engine.ranker.memory.lift(vector, artifacts)[1] > 2 * unseen > 0


def test_what_worked_for_a_need_comes_up_for_needs_like_it(engine: Engine) -> None:
    last = teach_the_last(engine)
    assert slugs(engine, NEED)[0] == last
    hit = engine.search(Need.read(NEED)).hits[0]
    leaves = [*hit.explanation.leaves()]
    assert sum(leaf.value for leaf in leaves) == pytest.approx(hit.score)
    (learned,) = [leaf for leaf in leaves if leaf.leg == "past"]
    assert learned.value > 0


def test_a_need_unlike_all_past_ones_is_answered_as_before(engine: Engine) -> None:
    need = "transcribe speech"
    before = slugs(engine, need)
    teach(engine, *[(f"zebra crossing {n}", "sketcher", "worked") for n in range(9)])
    assert slugs(engine, need) == before


def test_what_failed_teaches_nothing_good(engine: Engine) -> None:
    assert not teach(engine, (NEED, "sketcher", "failed"))
    assert not teach(engine, (NEED, "gone-from-the-catalogue", "worked"))
    assert not engine.ranker.memory.knows


def test_an_artifact_without_a_past_gains_and_loses_nothing(
    catalog: Catalog, encoder: HashingEncoder
) -> None:
    memory = Memory(catalog, encoder.encode_need)
    memory.learn(MatchGraph(past((NEED, "sketcher", "worked"))))
    everything = np.arange(len(catalog))
    lift = memory.lift(encoder.encode_need(NEED), everything)
    place = catalog.position("sketcher")
    assert lift[place] > 0
    assert np.all(np.delete(lift, place) == 0)


def test_needs_are_encoded_once_and_kept(
    engine: Engine, home: Home, encoder: HashingEncoder
) -> None:
    given = Settings(home.path)
    with closing(EventLog.beside(home.path)) as log:
        log.append(past((NEED, "sketcher", "worked"), ("x", "kosmos-2", "chosen")))
    calls: list[str] = []

    def encode(text: str) -> NDArray[np.float32]:
        calls.append(text)
        return encoder.encode_need(text)

    for expected in (2, 0):
        calls.clear()
        engine.ranker.memory = Memory(engine.catalog, encode)
        with closing(History(EventLog.beside(home.path))) as history:
            taught(engine, history, given)
        assert len(calls) == expected
        assert engine.ranker.memory.knows
    (kept,) = home.path.glob("past-needs-*")
    assert NEED.encode() not in kept.read_bytes()
    kept.write_bytes(b"damaged")
    engine.ranker.memory.load(kept)
    forget_learned(given)
    assert not [*home.path.glob("past-needs-*")]


def test_nothing_new_is_learned_twice(
    catalog: Catalog, encoder: HashingEncoder
) -> None:
    memory = Memory(catalog, encoder.encode_need)
    graph = MatchGraph(past((NEED, "sketcher", "worked")))
    assert memory.learn(graph)
    assert not memory.learn(graph)


def test_a_few_new_needs_among_many_are_added_to_what_is_indexed(
    catalog: Catalog, encoder: HashingEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vector, "MANY", 50)
    memory, trained = Memory(catalog, encoder.encode_need), []
    train = faiss.IndexPQFastScan.train

    def noted(*given: Any) -> None:
        trained.append(1)
        train(*given)

    monkeypatch.setattr(faiss.IndexPQFastScan, "train", noted)
    told: list[tuple[str, str, Outcome]]
    told = [(f"zebra {number}", "kosmos-2", "worked") for number in range(300)]
    graph = MatchGraph(past(*told))
    memory.learn(graph)
    for each in past((NEED, "sketcher", "worked")):
        graph.fold(each)
    assert memory.learn(graph)
    assert len(trained) == 1
    lift = memory.lift(encoder.encode_need(NEED), np.arange(len(catalog)))
    assert lift.argmax() == catalog.position("sketcher")


def test_an_evaluation_uses_what_was_learned_unless_told_not_to(
    engine: Engine,
) -> None:
    last = teach_the_last(engine)
    needs, qrels = {"1": NEED}, {"1": {last: 1}}
    (learned,) = evaluate(engine, needs, qrels).results
    (bare,) = evaluate(engine, needs, qrels, without=["graph"]).results
    assert learned.metrics["ndcg@10"].value > bare.metrics["ndcg@10"].value


@pytest.mark.parametrize(
    ("told", "exposure", "share"),
    [
        ({"worked": 3, "failed": 1}, 0.0, 0.75),
        ({"chosen": 1}, 1.0, 0.4),
        ({"chosen": 1}, 0.1, 0.891),
        ({"chosen": 9}, 1.0, 1.0),
        ({"shown": 9}, 9.0, 0.0),
    ],
)
def test_how_right_an_artifact_was(
    told: dict[str, int], exposure: float, share: float
) -> None:
    came = Outcomes(exposure=exposure)
    for outcome, times in told.items():
        for _ in range(times):
            came.add(outcome, NOW)
    assert came.right() == pytest.approx(share, abs=1e-3)


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["draw", "captions of a picture", "query tables"]),
            st.sampled_from(["sketcher", "kosmos-2", "postgres-mcp"]),
        ),
        min_size=1,
        max_size=12,
    )
)
def test_learned_scores_are_the_sum_of_their_parts(
    engine: Engine, told: Sequence[tuple[str, str]]
) -> None:
    teach(engine, *[(need, slug, "worked") for need, slug in told])
    for hit in engine.search(Need.read("draw a picture, offline")).hits:
        leaves = sum(leaf.value for leaf in hit.explanation.leaves())
        assert leaves == pytest.approx(hit.score, abs=1e-9)


def test_a_hit_says_what_was_told_of_it_for_needs_like_it(engine: Engine) -> None:
    assert engine.search(Need.read(NEED)).hits[0].told is None
    told: list[tuple[str, str, Outcome]] = [(NEED, "sketcher", "worked")] * 3
    told += [(NEED, "sketcher", "failed"), ("zebra crossing", "sketcher", "worked")]
    teach(engine, *told)
    hits = {hit.artifact.slug: hit for hit in engine.search(Need.read(NEED)).hits}
    assert hits["sketcher"].told == (3, 4)
    assert hits["kosmos-2"].told is None
    assert "3 of 4 who needed something like this said it worked." in why(
        hits["sketcher"]
    )


def test_vectors_that_the_disk_may_not_keep_replace_none_that_it_has(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "kept.npy"
    teach(engine, (NEED, "sketcher", "worked"))
    engine.ranker.memory.save(path)
    before = path.read_bytes()
    teach(engine, ("another need", "sketcher", "worked"))

    def full(_: int) -> None:
        raise OSError(28, "no space left")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="no space"):
        engine.ranker.memory.save(path)
    assert path.read_bytes() == before
