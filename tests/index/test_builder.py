import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from index.builder import build
from index.catalog import Catalog
from index.errors import StorageError
from index.generation import verify
from index.home import Home
from tests.conftest import ARTIFACTS, HashingEncoder, to_catalog


def changed(number: int) -> Catalog:
    """Return the catalogue with one capability's description changed."""
    first, *others = ARTIFACTS
    capability = {**first["capabilities"][0], "description": f"Version {number}."}
    capabilities = [capability, *first["capabilities"][1:]]
    return to_catalog([{**first, "capabilities": capabilities}, *others])


def test_only_changed_capabilities_are_encoded_again(
    built: Home, encoder: HashingEncoder
) -> None:
    before = encoder.encoded
    manifest = build(changed(1), encoder, built)
    assert encoder.encoded - before == manifest.counts["encoded"] == 2


def test_what_any_kept_generation_holds_is_not_encoded_again(
    built: Home, catalog: Catalog, encoder: HashingEncoder
) -> None:
    build(changed(1), encoder, built)
    assert build(catalog, encoder, built).counts["encoded"] == 0


def test_reused_vectors_are_those_that_encoding_gives(
    built: Home, encoder: HashingEncoder, tmp_path: Path
) -> None:
    build(changed(1), encoder, built)
    fresh = Home(tmp_path / "fresh")
    build(changed(1), encoder, fresh)
    with built.open() as reused, fresh.open() as encoded:
        np.testing.assert_array_equal(reused.vector.vectors, encoded.vector.vectors)


def test_another_encoder_reuses_nothing(built: Home, catalog: Catalog) -> None:
    other = HashingEncoder(salt="other")
    manifest = build(catalog, other, built)
    assert manifest.counts["encoded"] == other.encoded > 0


def test_a_damaged_generation_is_not_reused(
    built: Home, catalog: Catalog, encoder: HashingEncoder
) -> None:
    (built.folder("000001") / "vectors.npy").write_bytes(b"")
    assert build(catalog, encoder, built).counts["encoded"] > 0


def test_progress_reaches_the_end_of_every_stage(
    home: Home, catalog: Catalog, encoder: HashingEncoder
) -> None:
    seen: dict[str, tuple[int, int]] = {}

    def progress(stage: str, done: int, total: int) -> None:
        seen[stage] = (done, total)

    build(catalog, encoder, home, progress)
    assert seen == {
        "index": (6, 6),
        "joined": (1, 1),
        "passages": (12, 12),
        "encoder": (1, 1),
        "vectors": (1, 1),
    }


class FailingEncoder(HashingEncoder):
    """An encoder whose machine runs out of something."""

    def encode_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        raise OSError(28, "No space left on device")


def test_a_build_that_fails_leaves_the_old_generation_and_nothing_else(
    built: Home, catalog: Catalog
) -> None:
    with pytest.raises(StorageError, match="No space left on device; free or open it"):
        build(changed(2), FailingEncoder(), built)
    assert built.ids() == ["000001"]
    assert built.current() == "000001"
    generations = built.folder("000001").parent
    assert [path.name for path in generations.iterdir()] == ["000001"]


WRITE_NOTHING_LARGER = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits files as POSIX does")
@pytest.mark.parametrize("size", [500, 2_000, 5_000, 9_000, 13_000])
def test_a_disk_that_refuses_a_write_is_one_clear_error(built: Home, size: int) -> None:
    code = KILLED_BUILD.format(tests=str(Path.cwd()), home=str(built.path), delay=0)
    limited = WRITE_NOTHING_LARGER.format(size=size) + code
    result = subprocess.run(
        [sys.executable, "-c", limited], capture_output=True, text=True, check=False
    )
    assert (
        result.stderr.strip()
        .split("\n")[-1]
        .startswith(f"index.errors.StorageError: cannot write to {built.path}: ")
    )
    assert built.ids() == ["000001"]
    with built.open() as generation:
        assert generation.id == "000001"


def test_a_home_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file where the folder should be")
    with pytest.raises(StorageError, match="choose another with --home"):
        build(to_catalog(ARTIFACTS), HashingEncoder(), Home(tmp_path / "home"))


KILLED_BUILD = """
import sys, time
sys.path.insert(0, {tests!r})
from pathlib import Path
from tests.conftest import ARTIFACTS, HashingEncoder, to_catalog
from index.builder import build
from index.home import Home

def slowly(stage, done, total):
    time.sleep({delay})

build(to_catalog(ARTIFACTS), HashingEncoder(), Home(Path({home!r})), slowly)
"""


def test_a_killed_build_leaves_the_old_generation_and_the_next_one_works(
    built: Home, encoder: HashingEncoder
) -> None:
    code = KILLED_BUILD.format(tests=str(Path.cwd()), home=str(built.path), delay=0.05)
    for wait in (0.05, 0.15, 0.3):
        process = subprocess.Popen([sys.executable, "-c", code])
        deadline = time.monotonic() + 30
        while not list(built.folder("000001").parent.glob(".*")):
            assert time.monotonic() < deadline, "the build never began"
            if process.poll() is not None:
                break
            time.sleep(0.005)
        time.sleep(wait)
        process.send_signal(signal.SIGKILL)
        process.wait()
        with built.open() as generation:
            verify(generation.folder)
    manifest = build(changed(3), encoder, built)
    assert built.current() == manifest.id
    assert not list(built.folder(manifest.id).parent.glob(".*"))


def test_builds_at_once_do_not_mix(built: Home, encoder: HashingEncoder) -> None:
    catalogs = [changed(number) for number in range(4)]
    threads = [
        threading.Thread(target=build, args=(each, encoder, Home(built.path)))
        for each in catalogs
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    made = [verify(built.folder(id_)).catalog for id_ in built.ids()]
    assert built.ids() == ["000003", "000004", "000005"]
    assert len(set(made)) == 3
    assert set(made) <= {each.digest for each in catalogs}
