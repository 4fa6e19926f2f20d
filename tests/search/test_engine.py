import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from index.builder import build
from index.home import Home
from search.constraint import Mode
from search.engine import Answer, Engine
from search.need import Need
from tests.conftest import ARTIFACTS, HashingEncoder, to_catalog

VOCABULARY = [
    "grounded",
    "captioning",
    "image",
    "picture",
    "speech",
    "meeting",
    "edge",
    "device",
    "query",
    "database",
    "schema",
    "SQL",
    "text",
    "draw",
    "zebra",
    "the",
    "and",
]
needs = st.lists(st.sampled_from(VOCABULARY), min_size=1, max_size=8).map(" ".join)
any_need = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def slugs(answer: Answer) -> list[str]:
    return [hit.artifact.slug for hit in answer.hits]


@pytest.mark.parametrize(
    ("need", "slug", "capability"),
    [
        ("grounded captioning", "kosmos-2", "Grounded captioning"),
        ("answer questions about a picture", "kosmos-2", "Visual question answering"),
        ("transcribe a meeting", "whisper-tiny", "Speech recognition"),
        ("list the columns of my tables", "postgres-mcp", "Inspect a schema"),
    ],
)
def test_the_capability_that_meets_the_need_brings_its_artifact(
    engine: Engine, need: str, slug: str, capability: str
) -> None:
    hit = engine.search(Need.read(need)).hits[0]
    assert hit.artifact.slug == slug
    assert hit.matches[0].capability.name == capability
    assert hit.position == 1


@any_need
@given(needs)
def test_leaves_add_up_to_the_score_of_every_match(engine: Engine, need: str) -> None:
    found = engine.ranker.rank(Need.read(need))
    for row, score in zip(found.rows, found.candidates.score(found.rows), strict=True):
        explanation = engine.ranker.explain(found.need, int(row), found.candidates)
        leaves = math.fsum(leaf.value for leaf in explanation.leaves())
        assert leaves == pytest.approx(score, abs=1e-9)
    for hit in engine.search(Need.read(need)).hits:
        leaves = math.fsum(leaf.value for leaf in hit.explanation.leaves())
        assert leaves == pytest.approx(hit.score, abs=1e-9)
        assert hit.score == hit.matches[0].score
        assert hit.score <= 1 + 1e-9


@any_need
@given(needs)
def test_hits_are_distinct_and_best_first_ties_by_slug(
    engine: Engine, need: str
) -> None:
    hits = engine.search(Need.read(need)).hits
    keys = [(-round(hit.score, 9), hit.artifact.slug) for hit in hits]
    assert keys == sorted(keys)
    assert len({hit.artifact.slug for hit in hits}) == len(hits)
    assert [hit.position for hit in hits] == list(range(1, len(hits) + 1))


@any_need
@given(needs)
def test_equal_needs_get_equal_answers(engine: Engine, need: str) -> None:
    again = Engine(engine.generation, HashingEncoder())
    assert engine.search(Need.read(need)) == again.search(Need.read(need))


def test_the_order_of_the_catalogue_does_not_matter(
    engine: Engine, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = Home(tmp_path_factory.mktemp("shuffled"))
    build(to_catalog(ARTIFACTS[::-1]), HashingEncoder(), home)
    with home.open() as generation:
        shuffled = Engine(generation, HashingEncoder())
        for text in ("picture", "query a database", "edge device"):
            assert shuffled.search(Need.read(text)) == engine.search(Need.read(text))


def test_a_page_is_a_part_of_the_whole(engine: Engine) -> None:
    need = Need.read("picture of a device in a database")
    whole = engine.search(need)
    paged = [hit for start in range(4) for hit in engine.search(need, 1, start).hits]
    assert tuple(paged) == whole.hits
    assert engine.search(need, 10, 100).hits == ()
    assert engine.search(need, 1, 0).total == whole.total == len(whole.hits)


def test_types_are_counted_and_filter(engine: Engine) -> None:
    need = Need.read("picture")
    every = engine.search(need)
    assert sum(every.facets["type"].values()) == every.total
    only = engine.search(Need.read("picture", ["app"]))
    assert slugs(only) == ["sketcher"]
    assert only.total == 1
    assert only.facets["type"] == every.facets["type"]
    assert engine.search(Need.read("picture", ["benchmark"])).hits == ()


def test_an_artifact_is_as_good_as_its_best_capability_not_their_sum(
    home: Home, encoder: HashingEncoder
) -> None:
    weak = {"name": "Pictures", "description": "Stores pictures among other things."}
    many = {
        "slug": "many",
        "name": "Many",
        "type": "app",
        "capabilities": [{**weak, "id": f"c{number}"} for number in range(20)],
    }
    exact = {"name": "Caption pictures", "description": "Captions pictures."}
    one = {"slug": "one", "name": "One", "type": "app", "capabilities": [exact]}
    build(to_catalog([many, one]), encoder, home)
    with home.open() as generation:
        answer = Engine(generation, encoder).search(Need.read("caption pictures"))
    assert slugs(answer) == ["one", "many"]


def test_a_need_of_stop_words_alone_is_answered_by_meaning(engine: Engine) -> None:
    hits = engine.search(Need.read("the and of")).hits
    (meaning,) = hits[0].explanation.parts
    assert "closeness in meaning" in meaning.text


@pytest.mark.parametrize(
    "need", ["Postgres MCP", "postgres-mcp", "POSTGRES mcp", "postgress mcp"]
)
def test_a_name_puts_its_artifact_first_whatever_else_matches(
    home: Home, encoder: HashingEncoder, need: str
) -> None:
    rival = {
        "slug": "rival",
        "name": "Rival",
        "type": "mcp",
        "capabilities": [{"name": "Postgres MCP", "description": "postgres-mcp"}],
    }
    build(to_catalog([*ARTIFACTS, rival]), encoder, home)
    with home.open() as generation:
        hits = Engine(generation, encoder).search(Need.read(need)).hits
    assert hits[0].artifact.slug == "postgres-mcp"
    assert hits[1].artifact.slug == "rival"
    texts = [leaf.text for leaf in hits[0].explanation.leaves()]
    assert any("the need is its name" in text for text in texts)


def test_the_beginning_of_a_name_counts(engine: Engine) -> None:
    hit = engine.search(Need.read("whisper")).hits[0]
    assert hit.artifact.slug == "whisper-tiny"
    texts = [leaf.text for leaf in hit.explanation.leaves()]
    assert any("its name begins with the need" in text for text in texts)


def test_a_misspelt_need_finds_what_the_right_one_finds(engine: Engine) -> None:
    wrong = engine.search(Need.read("gruonded captionning"))
    right = engine.search(Need.read("grounded captioning"))
    assert slugs(wrong) == slugs(right)
    assert wrong.need.topic == "grounded captioning"
    assert [each.word for each in wrong.need.corrections] == ["gruonded", "captionning"]


# -- constraints --------------------------------------------------------------------


def statuses(answer: Answer) -> dict[str, list[str]]:
    return {
        hit.artifact.slug: [each.status for each in hit.checked] for hit in answer.hits
    }


def test_what_violates_a_must_have_is_left_out_and_counted(engine: Engine) -> None:
    answer = engine.search(Need.read("describe a picture or a meeting on edge device"))
    assert statuses(answer) == {
        "whisper-tiny": ["satisfied"],
        "postgres-mcp": ["unknown"],
        "sketcher": ["unknown"],
    }
    (hidden,) = answer.hidden
    assert (hidden.constraint.key, hidden.count) == ("deployment:edge", 1)
    assert answer.total == 3


def test_what_is_unknown_ranks_below_what_is_known_of_like_relevance(
    home: Home, encoder: HashingEncoder
) -> None:
    def twin(slug: str, **facts: object) -> dict[str, object]:
        capability = {"name": "Draw", "description": "Draws a fox."}
        return {"slug": slug, "name": slug, "type": "app", "facts": facts} | {
            "capabilities": [capability]
        }

    twins = [twin("a"), twin("b", offline=True), twin("c", offline=False)]
    build(to_catalog(twins), encoder, home)
    with Engine(home.open(), encoder) as engine:
        assert slugs(engine.search(Need.read("draw a fox offline"))) == ["b", "a"]
        wish = engine.search(Need.read("draw a fox, ideally offline"))
        assert slugs(wish) == ["b", "a", "c"]


def test_each_status_has_the_fact_or_the_sentence_that_proves_it(
    engine: Engine,
) -> None:
    answer = engine.search(Need.read("grounded captioning, self-hosted, mit licence"))
    deployment, licence = answer.hits[0].checked
    assert (deployment.status, deployment.field) == ("satisfied", "deployment")
    assert deployment.evidence == "self_hosted"
    assert deployment.source == "https://example.org/card"
    assert (licence.evidence, licence.source) == ("MIT", None)
    answer = engine.search(Need.read("transcribe speech on edge hardware for free"))
    assert answer.hits[0].checked[1].evidence is None
    answer = engine.search(Need.read("draws pictures as a desktop app"))
    (checked,) = answer.hits[0].checked[:1]
    assert checked.status == "unknown"


def test_a_sentence_proves_what_no_fact_states(
    home: Home, encoder: HashingEncoder
) -> None:
    capability = {
        "name": "Draw",
        "description": "Draws a fox. It runs fully offline.",
        "source": "https://example.org/draw",
    }
    record = {"slug": "a", "name": "A", "type": "app", "capabilities": [capability]}
    build(to_catalog([record]), encoder, home)
    with Engine(home.open(), encoder) as engine:
        (hit,) = engine.search(Need.read("draw a fox offline")).hits
        (checked,) = hit.checked
        assert (checked.status, checked.field) == ("satisfied", "sentence")
        assert checked.evidence == "It runs fully offline."
        assert checked.source == "https://example.org/draw"


@pytest.mark.parametrize(
    ("text", "evidence"),
    [
        ("captions, free", "open source, free"),
        ("captions with at most 2b parameters", "1,660,000,000"),
        ("captions by microsoft", "Kosmos-2 by Microsoft"),
        ("captions, not from openai", "Kosmos-2 by Microsoft"),
        ("captions with open weights", "MIT"),
        ("a captioning model", "model"),
    ],
)
def test_evidence_is_what_the_record_states(
    engine: Engine, text: str, evidence: str
) -> None:
    hits = {each.artifact.slug: each for each in engine.search(Need.read(text)).hits}
    checked = hits["kosmos-2"].checked
    assert [(each.status, each.evidence) for each in checked] == [
        ("satisfied", evidence)
    ]


def test_a_topic_excludes_what_is_it_not_what_mentions_it(
    home: Home, encoder: HashingEncoder
) -> None:
    def record(
        slug: str, name: str, description: str, **more: object
    ) -> dict[str, object]:
        capability = {"name": name, "description": description}
        return {"slug": slug, "name": slug, "type": "model", **more} | {
            "capabilities": [capability]
        }

    records = [
        record("by-name", "Image diffusion", "Draws pictures."),
        record("by-tag", "Draw", "Draws pictures of diffusion.", tags=["diffusion"]),
        record("by-first-sentence", "Draw", "A diffusion model draws pictures."),
        record("in-passing", "Draw", "Draws pictures. Diffusion is slower."),
        record("apart", "Draw", "Draws pictures, unlike diffusion models."),
    ]
    build(to_catalog(records), encoder, home)
    with Engine(home.open(), encoder) as engine:
        answer = engine.search(Need.read("draw pictures, not diffusion"))
        assert sorted(slugs(answer)) == ["apart", "in-passing"]
        assert all(hit.checked[0].status == "satisfied" for hit in answer.hits)


def test_an_anchor_pulls_and_never_returns_itself(engine: Engine) -> None:
    answer = engine.search(Need.read("like kosmos-2 but an app"))
    assert "kosmos-2" not in slugs(answer)
    assert answer.hits
    texts = [leaf.text for leaf in answer.hits[0].explanation.leaves()]
    assert any("does what kosmos-2 does" in text for text in texts)


def test_a_constraint_can_be_switched_off(engine: Engine) -> None:
    modes: dict[str, Mode] = {"deployment:edge": "off"}
    need = Need.read("describe a picture on edge device", modes=modes)
    answer = engine.search(need)
    assert "kosmos-2" in slugs(answer)
    assert answer.hidden == ()
    assert all(hit.checked == () for hit in answer.hits)


@any_need
@given(text=needs)
def test_constrained_scores_are_the_sum_of_their_parts(
    engine: Engine, text: str
) -> None:
    need = Need.read(f"{text}, offline, ideally free, like kosmos-2")
    for hit in engine.search(need).hits:
        leaves = sum(leaf.value for leaf in hit.explanation.leaves())
        assert leaves == pytest.approx(hit.score, abs=1e-9)


def test_an_engine_that_explores_says_how_likely_each_place_was(
    home: Home, encoder: HashingEncoder
) -> None:
    similar = [
        {
            "slug": f"tool-{number}",
            "name": f"Tool {number}",
            "type": "cli",
            "capabilities": [{"name": "Draw", "description": f"Draws {number}."}],
        }
        for number in range(40)
    ]
    build(to_catalog(similar), encoder, home)
    with home.open() as generation:
        plain = Engine(generation, encoder).search(Need.read("draw"), 40)
        engine = Engine(generation, encoder, explore=1.0)
        answer = engine.search(Need.read("draw"), 10)
        further = engine.search(Need.read("draw"), 30, offset=10)
    assert {hit.probability for hit in plain.hits} == {1.0}
    assert [hit.position for hit in answer.hits] == [*range(1, 11)]
    assert answer.hits[9].artifact != plain.hits[9].artifact
    assert answer.hits[9].probability == pytest.approx(1 / 20)
    slugs = [hit.artifact.slug for hit in (*answer.hits, *further.hits)]
    assert sorted(slugs) == sorted(hit.artifact.slug for hit in plain.hits)
