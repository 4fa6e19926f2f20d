import json
from pathlib import Path

import numpy as np
import pytest

from bench.corpus import GivenEncoder, Real, keys_of, needs, spliced, write
from index.builder import build
from index.home import Home
from index.passage import passages
from index.source import read
from tests.conftest import ARTIFACTS, HashingEncoder


@pytest.fixture
def real(tmp_path: Path) -> Real:
    path = tmp_path / "catalog.jsonl"
    # A capability needs as many neighbours as one of them is drawn from.
    renamed = [
        {**each, "slug": f"{each['slug']}-{number}", "name": f"{each['name']} {number}"}
        for number in range(4)
        for each in ARTIFACTS
    ]
    lines = [json.dumps(each) for each in [*renamed, {"slug": "BAD"}]]
    path.write_text("\n".join(lines), encoding="utf-8")
    return Real.load([path], HashingEncoder(), tmp_path / "real.npz")


def test_a_size_and_a_seed_make_the_same_catalogue(real: Real, tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        write(real, 200, 7, tmp_path / name)
    files = ["200.jsonl", "200.npy", "200.digests.npy"]
    for name in files:
        assert (tmp_path / "one" / name).read_bytes() == (
            tmp_path / "other" / name
        ).read_bytes()
    catalog = read(
        [tmp_path / "one" / "200.jsonl"]
    )  # refuses slugs that are not unique
    assert 200 <= catalog.capability_count < 220


def test_records_are_real_once_and_then_others(real: Real) -> None:
    drawn = [artifact for artifact, _ in real.draw(200, 0)]
    first = {each.slug for each in drawn[: len(real.catalogs[0])]}
    assert first == {each.slug for each in real.catalogs[0]}
    later = drawn[len(real.catalogs[0]) :]
    texts = [each.description for artifact in drawn for each in artifact.capabilities]
    assert later and len(set(texts)) > 2 * len(real.capabilities)
    assert {each.license for each in later} == {each.license for each in drawn}


def test_crossed_texts_are_of_both() -> None:
    assert spliced("a b c d", "e f g h", 0.5) == "a b g h"
    assert spliced("a b c d", "e f g h", 0) == "a b c d"
    assert spliced("only", "e f", 0.9) == "only e f"


def test_given_vectors_build_a_generation(real: Real, tmp_path: Path) -> None:
    write(real, 100, 0, tmp_path)
    catalog = read([tmp_path / "100.jsonl"])
    encoder = HashingEncoder()
    given = GivenEncoder(encoder, tmp_path, 100)
    encoder.encoded = 0
    build(catalog, given, Home(tmp_path / "home"))
    assert encoder.encoded == 0
    pairs = passages(catalog)
    views = np.stack([given.encode_passages(list(pair)) for pair in pairs])
    assert np.allclose(np.linalg.norm(views, axis=2), 1, atol=1e-5)
    with Home(tmp_path / "home").open() as generation:
        assert generation.manifest.encoder["digest"] == encoder.digest
        assert np.allclose(generation.vector.vectors, views.mean(axis=1), atol=1e-6)


def test_a_passage_of_another_corpus_has_no_vector(real: Real, tmp_path: Path) -> None:
    write(real, 50, 0, tmp_path)
    with pytest.raises(AssertionError, match="not of this corpus"):
        GivenEncoder(HashingEncoder(), tmp_path, 50).encode_passages(["another"])


def test_real_passages_are_encoded_once(real: Real, tmp_path: Path) -> None:
    encoder = HashingEncoder()
    again = Real.load([tmp_path / "catalog.jsonl"], encoder, tmp_path / "real.npz")
    assert encoder.encoded == 0
    assert np.array_equal(again.vectors, real.vectors)


def test_needs_are_distinct_and_fit(tmp_path: Path) -> None:
    texts = ["one", "two", "one", "x", "y" * 501]
    lines = "\n".join(json.dumps({"text": text}) for text in texts)
    (tmp_path / "needs-dev.jsonl").write_text(lines, encoding="utf-8")
    assert sorted(needs([tmp_path], 0)) == ["one", "two"]
    assert needs([tmp_path], 3) == needs([tmp_path], 3)


def test_keys_are_of_the_text_alone() -> None:
    assert keys_of(["a", "b", "a"])[[0, 2]].tolist() == [keys_of(["a"])[0]] * 2
