import json
import math
from pathlib import Path

import numpy as np
import pytest
import pytrec_eval
from hypothesis import given
from hypothesis import strategies as st

from index.errors import JudgementError
from search.engine import Engine
from search.evaluation import (
    METRICS,
    difference,
    estimate,
    evaluate,
    ndcg,
    read_needs,
    read_qrels,
    write_run,
)
from search.need import Need

SLUGS = [f"a{number:03}" for number in range(130)]
NEEDS = {
    "q1": "grounded captioning",
    "q2": "transcribe a meeting",
    "q3": "query a database",
    "unjudged": "paint a wall",
}
QRELS = {
    "q1": {"kosmos-2": 2, "sketcher": 1},
    "q2": {"whisper-tiny": 1},
    "q3": {"sketcher": 1, "gone": 1},
    "q4": {"kosmos-2": 1},
}


def test_ndcg_is_the_formula_written_out() -> None:
    found = 2 / math.log2(2) + 0 / math.log2(3) + 1 / math.log2(4)
    ideal = 2 / math.log2(2) + 1 / math.log2(3)
    assert ndcg(["a", "x", "b"], {"a": 2, "b": 1}) == pytest.approx(found / ideal)
    assert ndcg(["x"], {}) == 0


@given(
    st.permutations(SLUGS),
    st.dictionaries(st.sampled_from(SLUGS), st.integers(0, 3), min_size=1),
)
def test_metrics_are_those_of_trec_eval(
    ranking: list[str], grades: dict[str, int]
) -> None:
    measures = {"ndcg_cut_10", "recip_rank", "recall_1", "recall_10", "recall_100"}
    run = {slug: float(-place) for place, slug in enumerate(ranking)}
    oracle = pytrec_eval.RelevanceEvaluator({"q": grades}, measures)
    expected = oracle.evaluate({"q": run})["q"]
    reciprocal = expected["recip_rank"] if expected["recip_rank"] >= 0.1 else 0
    assert [metric(ranking, grades) for metric in METRICS.values()] == pytest.approx(
        [
            expected["ndcg_cut_10"],
            reciprocal,
            expected["recall_1"],
            expected["recall_10"],
            expected["recall_100"],
        ]
    )


def test_an_evaluation_measures_what_a_search_answers(engine: Engine) -> None:
    found = evaluate(engine, NEEDS, QRELS)
    assert found.needs == 3
    assert set(found.run) == {"q1", "q2", "q3"}
    for qid, ranking in found.run.items():
        hits = engine.search(Need.read(NEEDS[qid]), 50).hits
        expected = [(hit.artifact.slug, hit.score) for hit in hits if hit.score > 0]
        assert [slug for slug, _ in ranking] == [slug for slug, _ in expected]
        scores = [score for _, score in ranking]
        assert scores == pytest.approx([score for _, score in expected])
    (ours,) = found.results
    assert ours.system == "ours"
    assert ours.difference is None
    values = [ndcg([s for s, _ in found.run[q]], QRELS[q]) for q in found.run]
    assert ours.metrics["ndcg@10"].value == pytest.approx(np.mean(values))


def test_legs_add_each_retriever_and_the_baselines(engine: Engine) -> None:
    results = evaluate(engine, NEEDS, QRELS, legs=True).results
    systems = [each.system for each in results]
    assert systems[:4] == ["ours", "keyword", "vector", "rrf"]
    assert systems[4].startswith("best fixed ")
    assert len(systems) == 5
    ours = results[0].metrics["ndcg@10"].value
    for each in results[1:]:
        assert each.difference is not None
        own = each.metrics["ndcg@10"].value
        assert each.difference.value == pytest.approx(ours - own)
        counts = (each.difference.wins, each.difference.ties, each.difference.losses)
        assert sum(counts) == 3


def test_progress_counts_the_judged_needs(engine: Engine) -> None:
    seen: list[tuple[int, int]] = []
    evaluate(engine, NEEDS, QRELS, lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_needs_that_nobody_judged_are_refused(engine: Engine) -> None:
    with pytest.raises(JudgementError, match="no need of the file"):
        evaluate(engine, NEEDS, {"q1": {"kosmos-2": 0}})


def test_a_clear_gain_is_told_from_none() -> None:
    ours, other = np.full(40, 0.6), np.full(40, 0.4)
    gain = difference(ours, other)
    assert (gain.wins, gain.ties, gain.losses) == (40, 0, 0)
    assert gain.value == pytest.approx(0.2)
    assert gain.p < 0.001
    none = difference(ours, ours)
    assert (none.wins, none.ties, none.losses) == (0, 40, 0)
    assert none.p == 1
    assert none.low == none.high == 0


def test_the_interval_covers_the_true_mean_in_about_95_of_100() -> None:
    random = np.random.default_rng(5)
    covered = 0
    for _ in range(60):
        found = estimate(random.random(80))
        assert found.low <= found.value <= found.high
        covered += found.low <= 0.5 <= found.high
    assert covered >= 52


def test_a_run_is_written_as_trec_eval_reads_it(engine: Engine, tmp_path: Path) -> None:
    found = evaluate(engine, NEEDS, QRELS)
    write_run(tmp_path / "run", found.run)
    with (tmp_path / "run").open() as file:
        run = pytrec_eval.parse_run(file)
    assert set(run) == set(found.run)
    first = (tmp_path / "run").read_text().splitlines()[0].split()
    assert first[0:4] == ["q1", "Q0", "kosmos-2", "1"]
    assert first[5] == "instead"
    with pytest.raises(JudgementError, match="cannot be written"):
        write_run(tmp_path / "no" / "run", found.run)


def test_needs_and_qrels_are_read(tmp_path: Path) -> None:
    needs, qrels = tmp_path / "needs.jsonl", tmp_path / "qrels.tsv"
    lines = [json.dumps({"qid": qid, "text": text}) for qid, text in NEEDS.items()]
    needs.write_text("\n".join(lines) + "\n\n")
    qrels.write_text("q1\t0\tkosmos-2\t2\nq1 0 sketcher 1\n")
    assert read_needs(needs) == NEEDS
    assert read_qrels(qrels) == {"q1": {"kosmos-2": 2, "sketcher": 1}}


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("not json", "should be"),
        ("[1]", "should be"),
        ('{"qid": "q1"}', "should be"),
        ('{"qid": 1, "text": "x"}', "are texts"),
    ],
)
def test_a_bad_line_of_needs_is_named(tmp_path: Path, line: str, why: str) -> None:
    path = tmp_path / "needs.jsonl"
    path.write_text('{"qid": "q", "text": "x"}\n' + line)
    with pytest.raises(JudgementError, match=rf"needs\.jsonl:2: .*{why}"):
        read_needs(path)


def test_a_bad_line_of_qrels_and_a_missing_file_are_named(tmp_path: Path) -> None:
    path = tmp_path / "qrels.tsv"
    path.write_text("q1 0 slug high")
    with pytest.raises(JudgementError, match=r"qrels\.tsv:1: should be: qid 0 slug"):
        read_qrels(path)
    with pytest.raises(JudgementError, match="cannot be read"):
        read_qrels(tmp_path / "missing")


def test_a_need_longer_than_a_person_may_type_is_measured_whole(
    engine: Engine,
) -> None:
    long = "grounded captioning " * 60
    found = evaluate(engine, {"q1": long}, QRELS)
    assert found.run["q1"][0][0] == "kosmos-2"


def test_the_best_fixed_mix_is_no_worse_than_a_leg_alone(engine: Engine) -> None:
    _, keyword, vector, _, best = evaluate(engine, NEEDS, QRELS, legs=True).results
    reached = best.metrics["ndcg@10"].value
    assert reached >= keyword.metrics["ndcg@10"].value
    assert reached >= vector.metrics["ndcg@10"].value
