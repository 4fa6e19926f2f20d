import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz.distance import OSA

from index import spelling
from index.shards import cut
from index.spelling import Spelling
from tests.conftest import to_catalog

WORDS = {"captioning": 5, "caption": 2, "images": 9, "image": 3, "email": 4, "mail": 1}


def speller(folder: Path, **counts: int) -> Spelling:
    (folder / spelling.FILE).write_text(json.dumps(counts or WORDS))
    return Spelling(folder, {"caption", "imag"}.__contains__)


def read(folder: Path, text: str, known: str = "") -> list[tuple[str, str]]:
    found = speller(folder).corrections(text, known.split().__contains__)
    assert all(text[each.start : each.end] == each.word for each in found)
    return [(each.word, each.read_as) for each in found]


@pytest.mark.parametrize(
    ("text", "corrections"),
    [
        ("captioning images", []),
        ("captoning of imagse", [("captoning", "captioning"), ("imagse", "images")]),
        ("Captioinng", [("Captioinng", "captioning")]),
        ("cptionnig", [("cptionnig", "captioning")]),  # two edits in a long word
        ("kaption", [("kaption", "caption")]),
        ("captions", []),  # an inflection that the catalogue has by its stem
        ("imge", [("imge", "image")]),
        ("img", []),  # too short to guess from
        ("IMGAE IMGSv2 imgs_v2 imag3", []),  # acronyms and identifiers
        ("zeppelin", []),
        ("图像 صورة", []),
    ],
)
def test_a_misspelt_word_is_read_as_the_nearest(
    tmp_path: Path, text: str, corrections: list[tuple[str, str]]
) -> None:
    assert read(tmp_path, text) == corrections


def test_a_word_that_the_encoder_knows_is_left_alone(tmp_path: Path) -> None:
    assert read(tmp_path, "emails") == [("emails", "email")]
    assert read(tmp_path, "emails", known="emails") == []


def test_of_equally_near_words_the_most_used_is_meant(tmp_path: Path) -> None:
    both = speller(tmp_path, cart=1, card=8)
    (found,) = both.corrections("carx", lambda word: False)
    assert found.read_as == "card"


def test_another_language_is_left_alone(tmp_path: Path) -> None:
    assert read(tmp_path, "nous cherchons une imagge pour notre entreprise") == []
    assert read(tmp_path, "imagge captoning") != []


@given(st.text(max_size=80))
def test_corrections_are_near_and_in_order(text: str) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        found = speller(Path(folder)).corrections(text, lambda word: False)
    assert [each.start for each in found] == sorted(each.start for each in found)
    for each in found:
        assert text[each.start : each.end] == each.word
        assert 1 <= OSA.distance(each.word.lower(), each.read_as) <= 2


def test_words_are_counted_once_a_capability(tmp_path: Path) -> None:
    capabilities = [
        {"name": "Draw pictures", "description": "Draws pictures of GPUs, RTX4090."},
        {"name": "Store", "description": "Stores pictures."},
    ]
    artifact = {"slug": "a", "name": "Sketcher", "type": "app"}
    catalog = to_catalog([{**artifact, "capabilities": capabilities}])
    spelling.join(map(spelling.part, cut(catalog, 1)), tmp_path)
    assert json.loads((tmp_path / spelling.FILE).read_text()) == {
        "draw": 1, "draws": 1, "pictures": 2, "sketcher": 2, "store": 1, "stores": 1
    }  # fmt: skip
