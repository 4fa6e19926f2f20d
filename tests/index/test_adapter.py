from pathlib import Path

import numpy as np
import pytest

from index.adapter import Adapter
from index.builder import adapt, build, unlearn
from index.catalog import Catalog
from index.errors import DamagedError
from index.home import Home
from tests.conftest import HashingEncoder

LEARNED = {"needs": 7}


def turning(width: int = HashingEncoder.width) -> Adapter:
    """Return an adapter that moves every need towards the first axis."""
    matrix = np.zeros((width, width), dtype=np.float32)
    matrix[:, 0] = 1
    return Adapter(matrix)


def test_a_corrected_need_is_a_unit_vector_and_zeros_change_nothing() -> None:
    need = np.array([0.6, 0.8], dtype=np.float32)
    moved = turning(2)(need)
    assert np.linalg.norm(moved) == pytest.approx(1)
    assert moved[0] > need[0]
    same = Adapter(np.zeros((2, 2), dtype=np.float32))
    assert np.allclose(same(need), need)


def test_an_adapter_is_stored_in_a_generation_of_its_own(built: Home) -> None:
    before = built.current()
    manifest = adapt(built, turning(), LEARNED)
    assert manifest.learned == LEARNED
    assert built.current() == manifest.id != before
    with built.open() as generation:
        assert generation.adapter is not None
        assert np.array_equal(generation.adapter.matrix, turning().matrix)
        assert len(generation.catalog) == manifest.counts["artifacts"]
    assert built.rollback().learned == {}


def test_a_damaged_adapter_is_refused(built: Home) -> None:
    folder = built.folder(adapt(built, turning(), LEARNED).id)
    (folder / "adapter.npy").write_bytes(b"x")
    with pytest.raises(DamagedError, match=r"adapter\.npy"):
        type(built.open())(folder)


def test_a_build_keeps_what_was_learned_by_the_same_encoder(
    built: Home, catalog: Catalog, encoder: HashingEncoder
) -> None:
    adapt(built, turning(), LEARNED)
    assert build(catalog, encoder, built).learned == LEARNED
    with built.open() as generation:
        assert generation.adapter is not None
    other = HashingEncoder("another")
    assert build(catalog, other, built).learned == {}
    with built.open() as generation:
        assert generation.adapter is None


def test_what_is_forgotten_is_in_no_generation(built: Home) -> None:
    adapt(built, turning(), LEARNED)
    adapt(built, turning(), LEARNED)
    unlearn(built)
    with built.open() as generation:
        assert generation.manifest.learned == {}
    files = [path.name for path in Path(built.path).rglob("*")]
    assert "adapter.npy" not in files
