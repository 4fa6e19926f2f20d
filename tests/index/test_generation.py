import json
import shutil
from pathlib import Path

import portalocker
import pytest

from index.builder import build
from index.catalog import Catalog
from index.errors import (
    DamagedError,
    MismatchError,
    NoGenerationError,
    StorageError,
)
from index.generation import FORMAT, LOCK, MANIFEST, Generation, Manifest, seal, verify
from index.home import CURRENT, KEPT, Home
from tests.conftest import ARTIFACTS, HashingEncoder, to_catalog


def only(home: Home) -> Path:
    (id_,) = home.ids()
    return home.folder(id_)


def files(folder: Path) -> list[Path]:
    every = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in every if path.name != LOCK)


def test_a_generation_says_what_it_is_made_of(built: Home, catalog: Catalog) -> None:
    with built.open() as generation:
        manifest = generation.manifest
        assert manifest.catalog == catalog.digest
        assert manifest.encoder == {
            "name": "hashing",
            "digest": HashingEncoder().digest,
            "exported": False,
        }
        assert manifest.counts["artifacts"] == 4
        assert manifest.counts["capabilities"] == 6
        assert manifest.counts["passages"] == 12
        assert dict(generation.catalog) == dict(catalog)
        assert generation.id == "000001"
        assert generation.encoder() is None


def test_every_file_is_in_the_manifest(built: Home) -> None:
    folder = only(built)
    listed = {*Manifest.load(folder).files, MANIFEST}
    assert {path.relative_to(folder).as_posix() for path in files(folder)} == listed


def test_a_flipped_byte_anywhere_is_refused(built: Home) -> None:
    folder = only(built)
    for path in files(folder):
        intact = path.read_bytes()
        for place in {0, len(intact) // 2, len(intact) - 1}:
            damaged = bytearray(intact)
            damaged[place] ^= 0x20
            path.write_bytes(damaged)
            with pytest.raises((DamagedError, MismatchError), match="000001"):
                Generation(folder)
        path.write_bytes(intact)
    Generation(folder).close()


def test_a_cut_or_missing_file_is_refused_by_name(built: Home) -> None:
    folder = only(built)
    for path in files(folder):
        intact = path.read_bytes()
        path.write_bytes(intact[:-1])
        with pytest.raises(DamagedError, match=path.name):
            built.open()
        path.unlink()
        with pytest.raises(DamagedError, match=path.name):
            built.open()
        path.write_bytes(intact)
    (folder / LOCK).unlink()
    with pytest.raises(DamagedError, match=LOCK):
        built.open()


def test_another_format_is_refused_with_the_command_to_run(built: Home) -> None:
    folder = only(built)
    content = json.loads((folder / MANIFEST).read_text())
    del content["sha256"]
    other = Manifest(**{**content, "format": FORMAT + 1})
    (folder / MANIFEST).write_bytes(other.dump())
    with pytest.raises(MismatchError, match="instead build"):
        built.open()


def test_what_cannot_be_read_is_refused_although_its_checksum_holds(
    built: Home,
) -> None:
    folder = only(built)
    content = json.loads((folder / MANIFEST).read_text())
    (folder / "claims.json").write_text("[")
    (folder / MANIFEST).unlink()
    (folder / LOCK).unlink()
    for given in ("id", "format", "files", "sha256"):
        del content[given]
    seal(folder, "000001", **content)
    with pytest.raises(DamagedError, match="cannot be read although its checksum"):
        built.open()


def test_the_last_good_generation_serves_when_a_later_one_is_damaged(
    built: Home, catalog: Catalog, caplog: pytest.LogCaptureFixture
) -> None:
    build(catalog, HashingEncoder(), built)
    (built.folder("000002") / "catalog.jsonl").unlink()
    with built.open() as generation:
        assert generation.id == "000001"
    assert "generation 000002 is damaged: catalog.jsonl" in caplog.text


def test_an_unreadable_pointer_is_met_by_the_last_good_generation(built: Home) -> None:
    (built.path / CURRENT).write_bytes(b"\xff\xfe../../etc")
    with built.open() as generation:
        assert generation.id == "000001"


def test_a_lost_pointer_is_met_by_the_last_good_generation(
    built: Home, caplog: pytest.LogCaptureFixture
) -> None:
    (built.path / CURRENT).unlink()
    with built.open() as generation:
        assert generation.id == "000001"
    assert "CURRENT is missing" in caplog.text


def test_a_generation_that_is_being_removed_is_not_opened(built: Home) -> None:
    folder = only(built)
    with (folder / LOCK).open("ab") as lock:
        portalocker.lock(lock, portalocker.LOCK_EX | portalocker.LOCK_NB)
        with pytest.raises(StorageError, match="is being removed; try again"):
            Generation(folder)


def test_what_is_not_ours_beside_the_generations_is_left_alone(
    built: Home, catalog: Catalog
) -> None:
    notes = built.folder("000001").parent / "notes"
    notes.mkdir()
    build(catalog, HashingEncoder(), built)
    assert built.ids() == ["000001", "000002"]
    assert notes.is_dir()


def test_nothing_built_says_how_to_build(home: Home) -> None:
    with pytest.raises(NoGenerationError, match="instead build"):
        home.open()
    assert home.current() is None


def test_the_last_generations_are_kept(built: Home, catalog: Catalog) -> None:
    for _ in range(KEPT + 1):
        build(catalog, HashingEncoder(), built)
    assert built.ids() == ["000003", "000004", "000005"]
    assert built.current() == "000005"


def test_an_open_generation_is_not_removed(built: Home, catalog: Catalog) -> None:
    with built.open() as oldest:
        for _ in range(KEPT):
            build(catalog, HashingEncoder(), built)
        assert oldest.id in built.ids()
        verify(built.folder(oldest.id))
    build(catalog, HashingEncoder(), built)
    assert oldest.id not in built.ids()


def test_the_generation_in_use_is_not_removed(built: Home, catalog: Catalog) -> None:
    for _ in range(KEPT):
        build(catalog, HashingEncoder(), built)
    first = built.ids()[0]
    built.rollback(first)
    built._prune()
    assert built.current() == first
    assert first in built.ids()


def test_a_rollback_goes_one_back_or_to_the_one_named(
    built: Home, catalog: Catalog
) -> None:
    for _ in range(2):
        build(catalog, HashingEncoder(), built)
    assert built.rollback().id == "000002"
    assert built.rollback().id == "000001"
    with pytest.raises(NoGenerationError, match="no earlier generation"):
        built.rollback()
    assert built.rollback("000003").id == "000003"
    assert built.current() == "000003"
    with pytest.raises(NoGenerationError, match="there: 000001, 000002, 000003"):
        built.rollback("../000001")


def test_a_rollback_to_a_damaged_generation_is_refused(
    built: Home, catalog: Catalog
) -> None:
    build(catalog, HashingEncoder(), built)
    shutil.rmtree(built.folder("000001") / "keyword")
    with pytest.raises(DamagedError, match="keyword"):
        built.rollback()
    assert built.current() == "000002"


def test_a_second_writer_waits_and_then_gives_up(built: Home) -> None:
    with (
        built.locked(),
        pytest.raises(StorageError, match="another build"),
        Home(built.path).locked(wait_s=0.3),
    ):
        pass


def test_equal_catalogues_give_equal_indexes(tmp_path: Path) -> None:
    there, back = Home(tmp_path / "there"), Home(tmp_path / "back")
    build(to_catalog(ARTIFACTS), HashingEncoder(), there)
    build(to_catalog(ARTIFACTS[::-1]), HashingEncoder(), back)
    for path in files(only(there)):
        name = path.relative_to(only(there))
        if name.name != MANIFEST:
            assert path.read_bytes() == (only(back) / name).read_bytes(), name
