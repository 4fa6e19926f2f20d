from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from whoosh import index as whoosh_index

from index import keyword, postings, shards
from index.catalog import Catalog
from index.hits import above, merge, rank
from index.keyword import ANALYZER, KeywordIndex, analyse, placed
from tests.conftest import to_catalog

words = st.sampled_from(
    [
        "image",
        "images",
        "caption",
        "edge",
        "device",
        "FLUX1",
        "patch14",
        "the",
        "of",
        "getCustomsInfo",
        "画",
        "Ünïcode",
    ]
)
texts = st.lists(words, min_size=1, max_size=12).map(" ".join)
artifacts = st.lists(
    st.fixed_dictionaries(
        {
            "name": texts,
            "tags": st.lists(texts, max_size=2),
            "capabilities": st.lists(
                st.fixed_dictionaries(
                    {"name": texts, "description": texts, "unique": texts}
                ),
                min_size=1,
                max_size=3,
            ),
        }
    ),
    min_size=1,
    max_size=6,
)


def build(catalog: Catalog, folder: Path, size: int = 100) -> KeywordIndex:
    folder.mkdir()
    postings.join([*map(postings.part, shards.cut(catalog, size))], folder)
    return KeywordIndex(folder)


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("Captioning images", ["caption", "imag"]),
        ("images, image; IMAGES", ["imag"]),
        ("kosmos-2-patch14-224", ["kosmo", "2", "patch14", "patch", "14", "224"]),
        ("getCustomsInfo", ["getcustomsinfo", "get", "custom", "info"]),
        ("FLUX.1 HTTPServer", ["flux", "1", "httpserver", "http", "server"]),
        ("the of and", []),
        ("name:* AND (((", ["name"]),
        ("' OR 1=1; --", ["1"]),
        ("图像 生成", ["图像", "生成"]),
        ("صورة", ["صورة"]),
        ("🎨 !!!", []),
        ("snake_case_word", ["snake", "case", "word"]),
    ],
)
def test_a_text_becomes_its_distinct_terms(text: str, terms: list[str]) -> None:
    assert list(analyse(text)) == terms


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(artifacts, texts, st.sampled_from([1, 4, 100]))
def test_impacts_add_up_to_the_scores_of_whoosh(
    tmp_path_factory: pytest.TempPathFactory,
    made: list[dict[str, object]],
    need: str,
    size: int,
) -> None:
    named = [
        {**each, "slug": f"a{number}", "type": "model"}
        for number, each in enumerate(made)
    ]
    catalog = to_catalog(named)
    folder = tmp_path_factory.mktemp("keyword") / "index"
    compiled = build(catalog, folder, size).score(analyse(need))
    expected = np.zeros(catalog.capability_count)
    index = whoosh_index.open_dir(str(folder / "whoosh"))
    with index.searcher(weighting=keyword.BM25) as searcher:
        for hit in searcher.search(keyword.query(analyse(need)), limit=None):
            expected[hit.docnum] = hit.score
    np.testing.assert_allclose(compiled, expected, atol=1e-4)


@given(st.text(max_size=40) | texts, st.data())
def test_terms_are_those_of_whoosh_where_whoosh_finds_them(
    text: str, data: st.DataObject
) -> None:
    tokens = [
        (token.text, (token.startchar, token.endchar))
        for token in ANALYZER(text, chars=True)
    ]
    terms = [term for term, _ in tokens]
    assert analyse(text) == tuple(dict.fromkeys(terms))
    wanted = frozenset(data.draw(st.lists(st.sampled_from(["edge", *terms]))))
    spans, met = placed(text, wanted)
    found = [(term, span) for term, span in tokens if term in wanted]
    assert spans == list(dict.fromkeys(span for _, span in found))
    assert met == {term for term, _ in found}


@settings(max_examples=200)
@given(
    st.lists(st.sampled_from([0, 0, 1, 2, 3, 0.5, 7, 9]), max_size=200),
    st.integers(1, 12),
)
def test_what_is_above_holds_the_best(scores: list[float], k: int) -> None:
    values = np.array(scores, dtype=np.float64)
    found = above(values, k)
    best = rank(np.arange(len(values)), values, k)
    assert set(best.rows[best.scores > 0].tolist()) <= set(found.tolist())
    assert (values[found] > 0).all()


def test_of_many_scores_hardly_more_than_the_best_are_above() -> None:
    scores = np.random.default_rng(3).permutation(20_000).astype(np.float64)
    found = above(scores, 100)
    assert 100 <= len(found) <= 130


def test_an_unknown_term_has_no_postings(catalog: Catalog, tmp_path: Path) -> None:
    rows, impacts = build(catalog, tmp_path / "index").postings("zeppelin")
    assert len(rows) == len(impacts) == 0


def test_the_ceiling_is_the_best_impact_of_every_term(tmp_path: Path) -> None:
    texts = ["red red apple", "red pear", "green pear tree"]
    capabilities = [
        {"name": "x", "id": f"c{number}", "description": text}
        for number, text in enumerate(texts)
    ]
    made = {"slug": "s", "name": "s", "type": "model", "capabilities": capabilities}
    index = build(to_catalog([made]), tmp_path / "index")
    best = [float(index.postings(term)[1].max()) for term in ("red", "pear")]
    assert index.ceiling(["red", "pear"]) == pytest.approx(sum(best))
    once = [index.postings(term)[1] for term in ("appl", "green", "tree")]
    rare = np.mean([impacts.max() for impacts in once])
    assert index.ceiling(["red", "zeppelin"]) == pytest.approx(best[0] + rare)
    assert index.ceiling([]) == 0


def test_each_field_is_found(tmp_path: Path) -> None:
    fields = {
        "name": "Alpha",
        "tags": ["golf"],
        "capabilities": [
            {
                "name": "bravo",
                "description": "charlie",
                "unique": "delta",
                "intents": ["echo"],
            }
        ],
    }
    catalog = to_catalog([{**fields, "slug": "x", "type": "model"}])
    index = build(catalog, tmp_path / "index")
    for word in ("alpha", "bravo", "charlie", "delta", "echo", "golf"):
        assert index.score(analyse(word)).tolist()[0] > 0
    assert index.score(analyse("foxtrot")).tolist() == [0]


def tool(number: int, text: str) -> dict[str, Any]:
    """A tool that says `text`."""
    return {
        "slug": f"tool-{number:02}",
        "name": "Tool",
        "type": "app",
        "capabilities": [{"name": "Work", "description": text}],
    }


def test_parts_have_the_postings_and_the_scores_of_the_whole(tmp_path: Path) -> None:
    words = ["red", "green", "blue", "round", "sweet"]
    chance = np.random.default_rng(5)
    texts = [" ".join(chance.choice(words, 3)) for _ in range(60)]
    folder = tmp_path / "index"
    whole = build(to_catalog(list(map(tool, range(60), texts))), folder)
    terms = ("red", "sweet", "zeppelin")
    among = chance.random(60) < 0.7
    for borders in ([0, 60], [0, 7, 60], [0, 1, 20, 41, 60]):
        cuts = [slice(*each) for each in pairwise(borders)]
        parts = [(each, KeywordIndex(folder, each)) for each in cuts]
        for allowed in (None, among):
            found = merge(
                [
                    part.propose(terms, 9, None if allowed is None else allowed[cut])
                    for cut, part in parts
                ],
                9,
            )
            best, same = whole.propose(terms, 9, allowed), rank(*found, 9)
            assert same.rows.tolist() == rank(*best, 9).rows.tolist()
            assert same.scores.tolist() == rank(*best, 9).scores.tolist()
        for cut, part in parts:
            own = np.arange(60)[cut]
            scores = part.score_of(terms, own)
            assert scores.tolist() == whole.score_of(terms, own).tolist()
            assert part.ceiling(terms) == whole.ceiling(terms)


@pytest.mark.parametrize("term", ["edge", "database", "zeppelin"])
def test_which_capabilities_have_a_term(
    term: str, catalog: Catalog, tmp_path: Path
) -> None:
    index = build(catalog, tmp_path / "index")
    rows = np.array([5, 0, 2, 4, 1, 3])
    has = [index.impact(term, row) > 0 for row in rows.tolist()]
    assert index.has(term, rows).tolist() == has
