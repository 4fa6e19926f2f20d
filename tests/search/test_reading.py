"""How needs are read: one by one, and a suite of sentences as people write them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.reading import SUITE, agrees
from index.builder import build
from index.errors import NeedError
from index.home import Home
from search.constraint import Constraint
from search.engine import Engine
from search.need import Anchor, Need
from search.reading import WORDS, Reading
from tests.conftest import HashingEncoder, to_catalog

NAMED: list[tuple[str, str, str]] = [
    ("midjourney", "Midjourney", "Midjourney"),
    ("whisper-large-v3", "Whisper large v3", "OpenAI"),
    ("whisper-tiny", "Whisper tiny", "OpenAI"),
    ("whisperx", "WhisperX", "m-bain"),
    ("flux", "FLUX.1 dev", "Black Forest Labs"),
    ("langchain", "LangChain", "LangChain Inc"),
    ("langgraph", "LangGraph", "LangChain Inc"),
    ("mistral-7b", "Mistral 7B", "Mistral AI"),
]


class ReadingEncoder(HashingEncoder):
    """Knows English as the test needs it: all words but made-up ones."""

    def is_word(self, text: str) -> bool:
        return text not in (
            "midjourney",
            "zapier",
            "langchain",
            "langgraph",
            "vapi",
            "midjourny",
        )


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    capabilities = {"midjourney": "diffusion", "flux": "diffusion"}
    catalog = to_catalog(
        [
            {
                "slug": slug,
                "name": name,
                "type": "model",
                "provider": provider,
                "facts": {"deployment": ["self_hosted"]},
                "capabilities": [
                    {
                        "name": f"Make things by {capabilities.get(slug, 'words')}",
                        "description": "Makes things for people, as they like it.",
                    }
                ],
            }
            for slug, name, provider in NAMED
        ]
    )
    home = Home(tmp_path_factory.mktemp("home"))
    encoder = ReadingEncoder()
    build(catalog, encoder, home)
    with Engine(home.open(), encoder) as opened:
        yield opened


def read(engine: Engine, text: str, **modes: Any) -> Need:
    return engine.ranker.understand(Need.read(text, modes=modes.get("modes")))


def keys(need: Need) -> list[str]:
    return [each.key for each in need.constraints]


@pytest.mark.parametrize(
    ("text", "topic", "read_as", "anchors"),
    [
        ("draw a fox", "draw a fox", [], []),
        ("draw a fox on device", "draw a fox", ["deployment:local"], []),
        ("free and offline", "free and offline", ["price:free", "offline:yes"], []),
        ("a model that runs offline", "a model", ["type:model", "offline:yes"], []),
        ("draw, no gpu", "draw", ["not-hardware:gpu"], []),
        ("draw, ideally free", "draw", ["price:free"], []),
        ("transcribe, not whisper", "transcribe", ["not-artifact:whisper"], []),
        (
            "chat, not langchain or langgraph",
            "chat",
            ["not-artifact:langchain", "not-artifact:langgraph"],
            [],
        ),
        ("chat not from openai", "chat", ["not-provider:openai"], []),
        ("chat by mistral", "chat", ["provider:mistral"], []),
        ("draw, not diffusion", "draw", ["not-topic:diffusion"], []),
        ("draw without a diffusion model", "draw", ["not-topic:diffusion model"], []),
        ("calls, not vapi", "calls", ["not-artifact:vapi"], []),
        ("like midjourney but free", "midjourney", ["price:free"], ["midjourney"]),
        ("midjourney but free", "midjourney", ["price:free"], ["midjourney"]),
        ("midjourney-like drawing", "drawing", [], ["midjourney"]),
        (
            "open source midjourney",
            "midjourney",
            ["license:open_source"],
            ["midjourney"],
        ),
        ("free midjourney alternative", "midjourney", ["price:free"], ["midjourney"]),
        (
            "zapier alternative on my own server",
            "zapier",
            ["deployment:self_hosted"],
            ["zapier"],
        ),
        ("zapier but free", "zapier", ["price:free"], ["zapier"]),
        (
            "chat instead of langchain or langgraph",
            "chat",
            [],
            ["langchain", "langgraph"],
        ),
        ("replace midjourney with something", "midjourney", [], ["midjourney"]),
        ("alternative to the langchain", "langchain", [], ["langchain"]),
        ("Midjourney", "Midjourney", [], []),
        ("toxic or non-toxic", "toxic or non-toxic", [], []),
        ("no-show prediction", "no-show prediction", [], []),
        ("images like sketches", "images like sketches", [], []),
        ("a character-like artwork", "a character-like artwork", [], []),
        (
            "people who are not wearing a hat",
            "people who are not wearing a hat",
            [],
            [],
        ),
        ("like", "like", [], []),
        ("not", "not", [], []),
        ("alternative", "alternative", [], []),
    ],
)
def test_a_need_is_taken_apart(
    engine: Engine, text: str, topic: str, read_as: list[str], anchors: list[str]
) -> None:
    need = read(engine, text)
    assert need.topic == topic
    assert keys(need) == read_as
    assert [each.name for each in need.anchors] == anchors


def test_a_wish_is_preferred(engine: Engine) -> None:
    modes = {
        each.key: each.mode
        for text in (
            "draw, ideally offline and free, on cpu",
            "draw with open weights if possible",
            "draw, self-hosted would be nice",
        )
        for each in read(engine, text).constraints
    }
    assert modes == {
        "offline:yes": "prefer",
        "price:free": "prefer",
        "hardware:cpu": "must",
        "weights:open": "prefer",
        "deployment:self_hosted": "prefer",
    }
    assert read(engine, "draw, free if possible").topic == "draw"


def test_spans_are_of_the_text_that_was_typed(engine: Engine) -> None:
    text = "make things for people on my own server, like midjourny"
    need = read(engine, text)
    spans: list[Constraint | Anchor] = [*need.constraints, *need.anchors]
    for each in spans:
        assert each.text == text[each.start : each.end]
    assert need.anchors[0].text == "like midjourny"


def test_modes_flip_and_add_constraints(engine: Engine) -> None:
    text = "draw on device"
    off = read(engine, text, modes={"deployment:local": "off"})
    assert off.topic == text
    assert off.active == ()
    soft = read(engine, text, modes={"deployment:local": "prefer"})
    assert [each.mode for each in soft.active] == ["prefer"]
    added = read(
        engine,
        text,
        modes={
            "license:MIT": "must",
            "not-topic:diffusion": "must",
            "not-artifact:whisper": "must",
            "provider:openai": "prefer",
            "not-provider:openai": "must",
            "not-hardware:gpu": "must",
        },
    )
    assert len(added.constraints) == 7
    assert all(not each.text for each in added.constraints[1:])
    for key in ("moon:full", "artifact:whisper", "provider:nobody", "x", "not-topic: "):
        with pytest.raises(NeedError, match="is no constraint"):
            read(engine, text, modes={key: "must"})


def test_variants_are_the_thing_itself_and_others_are_not(engine: Engine) -> None:
    (anchor,) = read(engine, "something like whisper").anchors
    slugs = engine.catalog.slugs
    assert {slugs[each] for each in anchor.itself} == {
        "whisper-large-v3",
        "whisper-tiny",
    }
    (excluded,) = read(engine, "transcribe, not whisper").constraints
    assert {slugs[each] for each in excluded.positions} == {
        "whisper-large-v3",
        "whisper-tiny",
        "whisperx",
    }


def test_what_facts_cannot_tell_is_still_looked_for(engine: Engine) -> None:
    need = read(engine, "draw offline on my own server")
    assert need.topic == "draw"
    assert need.sought == "draw offline"  # every record states where it runs


def test_a_long_need_is_read_as_far_as_people_write(engine: Engine) -> None:
    text = "word " * WORDS + "offline"
    assert read(engine, text).constraints == ()
    assert read(engine, text).topic == text


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                "not",
                "like",
                "but",
                "no",
                "without",
                "alternative",
                "to",
                "free",
                "offline",
                "on",
                "my",
                "phone",
                "a",
                "the",
                "or",
                ",",
                "whisper",
                "midjourney",
                "mit",
                "7",
                "b",
                "under",
                "$",
                "5",
                "gb",
                "per",
                "in",
                "german",
                "ideally",
                "from",
                "by",
            ]
        ),
        min_size=1,
        max_size=40,
    ).map(" ".join)
    | st.text(min_size=1, max_size=200)
)
def test_any_text_is_read(text: str) -> None:
    engine = _engine()
    reading: Reading = engine.ranker._reader.read(text)
    assert reading.topic.strip() or not text.strip()
    spans: list[Constraint | Anchor] = [*reading.constraints, *reading.anchors]
    for each in spans:
        assert 0 <= each.start < each.end <= len(text)
        assert each.text == text[each.start : each.end]


_ENGINES: list[Engine] = []


def _engine() -> Engine:
    return _ENGINES[0]


@pytest.fixture(autouse=True)
def _shared(engine: Engine) -> None:
    _ENGINES[:] = [engine]  # hypothesis takes no fixture of another scope


# -- the suite ----------------------------------------------------------------------

SENTENCES = [json.loads(line) for line in SUITE.read_text("utf-8").splitlines()]
EXACT, FALSE = 0.95, 0.02
"""Sentences read exactly, at least; of those without a constraint read with one."""


@pytest.mark.model
@pytest.mark.filterwarnings("ignore")
def test_sentences_are_read_as_people_mean_them(tmp_path: Path) -> None:
    from index.model import find
    from index.source import read as read_catalog
    from web.settings import shipped_catalogue

    known = find()

    class Vocabulary(HashingEncoder):
        def is_word(self, text: str) -> bool:
            return known.is_word(text)

    home, encoder = Home(tmp_path), Vocabulary()
    build(read_catalog([shipped_catalogue()]), encoder, home)
    wrong, invented, bare = [], 0, 0
    with Engine(home.open(), encoder) as engine:
        for each in SENTENCES:
            reading = engine.ranker._reader.read(each["text"])
            if not agrees(reading, each):
                wrong.append(each["text"])
            if not (each["constraints"] or each["exclusions"] or each["anchors"]):
                bare += 1
                invented += bool(reading.constraints or reading.anchors)
    assert len(SENTENCES) >= 300
    assert bare >= len(SENTENCES) / 3
    assert len(wrong) <= (1 - EXACT) * len(SENTENCES), "\n".join(wrong)
    assert invented <= FALSE * bare
