"""A disk that really is full: a small file system in memory, filled to the brim."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import to_jsonl
from tests.resilience.processes import ROOT
from tests.resilience.work import changed

SIZE_KB = 2048

ALONE = ("unshare", "--user", "--map-root-user", "--mount")
"""Runs a command where it may mount what nobody else sees."""

FILL = """
import errno, json, os, sys
from pathlib import Path
from index.home import Home
from tests.resilience.processes import command

disk, old, new = map(Path, sys.argv[1:4])
home, filler, told = disk / "home", disk / "filler", []
assert command(home, "build", "--catalog", str(old)).exit == 0
for left in range(0, 200, 8):
    try:
        with filler.open("wb", buffering=0) as file:
            while file.write(bytes(1024)):
                pass
    except OSError as error:
        assert error.errno == errno.ENOSPC
    os.truncate(filler, max(filler.stat().st_size - left * 1024, 0))
    result = command(home, "build", "--catalog", str(new))
    with Home(home).open() as generation:
        told.append((left, result.exit, result.errors, generation.id))
    filler.unlink()
    if result.exit == 0:
        break
print(json.dumps(told))
"""


def possible() -> bool:
    """Return whether a file system can be mounted here."""
    if not shutil.which("unshare"):
        return False
    tried = [*ALONE, "mount", "-t", "tmpfs", "none", "/mnt"]
    return subprocess.run(tried, check=False, capture_output=True).returncode == 0


@pytest.mark.skipif(not possible(), reason="nothing can be mounted here")
def test_a_full_disk_leaves_the_old_generation_until_there_is_room(
    tmp_path: Path,
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    old = to_jsonl(changed(0), tmp_path / "old.jsonl")
    new = to_jsonl(changed(1), tmp_path / "new.jsonl")
    mount = f'mount -t tmpfs -o size={SIZE_KB}k none "$2" && exec "$0" -c "$@"'
    run = [*ALONE, "sh", "-c", mount, sys.executable, FILL, *map(str, (disk, old, new))]
    done = subprocess.run(run, cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    *full, (_, last, _, built) = json.loads(done.stdout)
    assert len(full) >= 3
    for left, status, errors, used in full:
        assert (status, used) == (1, "000001"), (left, errors)
        line = errors.splitlines()[-1]
        assert line.startswith("instead: cannot write to ")
        assert re.search("No space left on|cannot be read back|but a part of", line)
    assert (last, built) == (0, "000002")
