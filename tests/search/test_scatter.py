"""However a catalogue is cut, it gives the answers of the whole, to the last bit."""

import pickle
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

from index import vector
from index.adapter import Adapter
from index.builder import build
from index.catalog import Catalog
from index.encoder import NeedEncoder
from index.errors import EncoderError, SettingError
from index.generation import Generation
from index.home import Home
from index.shard import Shard, parts
from index.source import read
from search import ranking
from search.deadline import MissingEncoder
from search.engine import Engine
from search.need import Need
from search.scatter import REMEMBERED, ScatteredVector
from tests.answers import NEEDS, said
from tests.conftest import HashingEncoder, to_catalog
from web.settings import shipped_catalogue

OTHERS = (
    "whisper",
    "like kosmos-2 but open source",
    "something like Whisper or Qdrant, self-hosted and not from OpenAI",
    "xyzzy",
    "the of",
    "speech to text, no cloud, must be free, apache license",
    "image generation but not upscaling",
)
"""Names, anchors, must-haves, what is denied, and what nothing answers."""


class Here:
    """Shards in this process, reached as others are: what is said is written down."""

    def __init__(self, generation: Generation, count: int) -> None:
        self.parts = parts(generation.catalog.starts, count)
        self._shards = [Shard(generation.folder, each) for each in self.parts]
        self.asked: list[tuple[str, list[int]]] = []

    def ask(
        self, method: str, given: Mapping[int, tuple[Any, ...]]
    ) -> dict[int, list[Any]]:
        self.asked.append((method, list(given)))
        said = pickle.loads(pickle.dumps(given))
        told = {
            number: getattr(self._shards[number], method)(*each)
            for number, each in said.items()
        }
        back: dict[int, list[Any]] = pickle.loads(pickle.dumps(told))
        return back


def same(
    generation: Generation,
    encoder: NeedEncoder,
    needs: Sequence[str],
    counts: Sequence[int],
    **given: Any,
) -> None:
    """Hold the answers of shards to those of the whole."""
    whole = Engine(generation, encoder)
    expected = [said(whole, each, **given) for each in needs]
    assert any(each["matches"] for each in expected)
    for count in counts:
        cut = Engine(generation, encoder, shards=Here(generation, count))
        for text, each in zip(needs, expected, strict=True):
            assert said(cut, text, **given) == each


@pytest.fixture(scope="module", params=["flat", "pq", "ivf"])
def generation(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Generation]:
    """A part of the shipped catalogue, its vectors searched in each of the ways."""
    home = Home(tmp_path_factory.mktemp(request.param))
    shipped = read([shipped_catalogue()])
    catalog = Catalog(list(shipped.values())[::3])
    with pytest.MonkeyPatch.context() as patch:
        if request.param != "flat":
            patch.setattr(vector, "MANY", 100)
        if request.param == "ivf":
            patch.setattr(vector, "HUGE", 100)
        patch.setattr(vector, "PROPOSED", 40)
        manifest = build(catalog, HashingEncoder(), home)
    assert manifest.vectors["kind"] == request.param
    with home.open() as opened:
        yield opened


@pytest.fixture(autouse=True)
def _few_are_proposed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranking, "DEPTH", 40)


def test_shards_answer_as_the_whole_does(generation: Generation) -> None:
    needs = [*NEEDS[::20], *OTHERS]
    same(generation, HashingEncoder(), needs, [1, 2, 3, 7])


@pytest.mark.nightly
def test_shards_answer_all_needs_as_the_whole_does(generation: Generation) -> None:
    same(generation, HashingEncoder(), NEEDS, [2, 5, len(generation.catalog)])


@pytest.mark.parametrize(
    "given",
    [
        {"offset": 10},
        {"types": ["model"]},
        {"facets": {"deployment": ["self_hosted"], "pricing": ["open_source"]}},
        {"modes": {"deployment:self_hosted": "prefer"}},
        {"modes": {"deployment:self_hosted": "off"}},
    ],
    ids=str,
)
def test_pages_filters_and_modes_are_the_same(
    generation: Generation, given: dict[str, Any]
) -> None:
    needs = [f"{each}, self-hosted" for each in NEEDS[7::40]]
    same(generation, HashingEncoder(), needs, [3], **given)


def test_words_alone_are_the_same(generation: Generation) -> None:
    missing = MissingEncoder(EncoderError("the encoder is not there"))
    same(generation, missing, NEEDS[3::40], [2, 3])


def test_needs_that_are_adapted_are_the_same(generation: Generation) -> None:
    width = HashingEncoder.width
    noise = np.random.default_rng(2).normal(size=(width, width)) / 50
    adapter = Adapter(np.eye(width, dtype=np.float32) + noise.astype(np.float32))
    whole = Engine(generation, HashingEncoder())
    cut = Engine(generation, HashingEncoder(), shards=Here(generation, 3))
    plain = said(whole, NEEDS[0])
    for engine in (whole, cut):
        engine.ranker.adapter = adapter
    assert said(whole, NEEDS[0]) != plain
    for text in NEEDS[::60]:
        assert said(cut, text) == said(whole, text)


def test_one_round_answers_most_needs_and_pages_ask_nothing(
    generation: Generation,
) -> None:
    shards = Here(generation, 3)
    engine = Engine(generation, HashingEncoder(), shards=shards)
    engine.search(Need.read("remove the background from hundreds of product shots"))
    assert shards.asked == [("propose", [0, 1, 2])]
    engine.search(
        Need.read("remove the background from hundreds of product shots"), 10, 10
    )
    assert len(shards.asked) == 1
    engine.search(Need.read("like Whisper but smaller"))
    anchored = [method for method, _ in shards.asked[1:]]
    assert anchored in (["propose"] * 2, ["propose", "propose", "score"])


def test_what_is_remembered_is_bounded(generation: Generation) -> None:
    engine = Engine(generation, HashingEncoder(), shards=Here(generation, 2))
    for number in range(REMEMBERED + 5):
        engine.search(Need.read(f"picture {number}"))
    leg = engine.ranker.retrievers[1]
    assert isinstance(leg, ScatteredVector)
    assert len(leg.scatter._known) == REMEMBERED


@pytest.mark.parametrize("seed", range(4))
def test_any_catalogue_may_be_cut(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Few words and many ties: whatever decides at the border decides here, too."""
    monkeypatch.setattr(ranking, "DEPTH", 5)
    chance = Random(seed)
    words = ["red", "green", "blue", "fast", "offline", "image"]

    def text() -> str:
        return " ".join(chance.choices(words, k=chance.randint(1, 3)))

    artifacts = [
        {
            "slug": f"a{number:02}",
            "name": text(),
            "type": chance.choice(["model", "mcp", "app"]),
            "facts": {"deployment": [chance.choice(["edge", "api", "self_hosted"])]},
            "capabilities": [
                {"name": text(), "description": text()}
                for _ in range(chance.randint(1, 4))
            ],
        }
        for number in range(chance.randint(7, 20))
    ]
    encoder = HashingEncoder()
    home = Home(tmp_path)
    build(to_catalog(artifacts), encoder, home)
    needs = [*{text() for _ in range(6)}, "red on edge", "offline, not self-hosted"]
    with home.open() as opened:
        same(opened, encoder, needs, [1, 2, 3, 7, len(artifacts)])


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_parts_are_whole_artifacts_and_nearly_equal(count: int) -> None:
    sizes = Random(count).choices(range(1, 9), k=40)
    starts = np.concatenate([[0], np.cumsum(sizes)])
    cut = parts(starts, count)
    assert [cut[0].start, *(each.stop for each in cut)] == [
        *(each.start for each in cut),
        starts[-1],
    ]
    assert {each.start for each in cut} <= set(starts.tolist())
    assert max(each.stop - each.start for each in cut) <= starts[-1] / count + 16


@pytest.mark.parametrize("starts", [[0, 90, 91, 92], [0, 1, 2, 92]])
def test_no_part_is_empty(starts: list[int]) -> None:
    cut = parts(np.array(starts), 3)
    assert [each.stop - each.start for each in cut] == np.diff(starts).tolist()


@pytest.mark.parametrize("count", [0, -1, 4])
def test_no_more_shards_than_artifacts(count: int) -> None:
    with pytest.raises(SettingError, match="3 artifacts; choose another"):
        parts(np.array([0, 1, 2, 3]), count)
