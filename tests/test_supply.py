"""What is installed is what is locked, by hash, and nothing of it is unknown."""

import re
import sys
import tomllib
from importlib.metadata import version
from itertools import chain

import pytest
from packaging.requirements import Requirement

from tests.licences import LISTED, LOCKS, ROOT, listing, locked, rows

ALL = (*LOCKS, "requirements-test.lock", "requirements-extras.lock")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("name", ALL)
def test_everything_locked_has_one_version_and_hashes(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    entries = re.split(r"\n(?=[A-Za-z])", text)
    entries = [each for each in entries if not each.startswith("#")]
    assert len(entries) >= len(locked(name)) - 1
    for each in locked(name):
        assert re.fullmatch(r"==[^*,]+", str(each.specifier)), each
    for entry in entries:
        assert "--hash=sha256:" in entry, entry[:80]
        assert not re.search(r"--hash=(?!sha256:[0-9a-f]{64}\b)", entry)


def test_all_that_the_project_needs_is_locked() -> None:
    pinned = {plain(each.name): each for name in ALL for each in locked(name)}
    extras = PROJECT["project"]["optional-dependencies"]
    groups = PROJECT["dependency-groups"].values()
    needed = chain(PROJECT["project"]["dependencies"], *groups, *extras.values())
    for each in map(Requirement, needed):
        chosen = str(pinned[plain(each.name)].specifier).removeprefix("==")
        assert each.specifier.contains(chosen), each


def test_no_package_is_locked_twice_and_none_is_of_cuda() -> None:
    every = [each for name in ALL[1:] for each in locked(name)]
    here = [each for each in every if not each.marker or each.marker.evaluate()]
    assert len(here) == len({plain(each.name) for each in here})
    names = [plain(each.name) for each in every]
    assert not [each for each in names if re.match("nvidia|cuda|triton|torch$", each)]


@pytest.mark.parametrize("name", ALL)
def test_what_is_installed_is_what_is_locked(name: str) -> None:
    if name == "requirements-extras.lock":
        pytest.importorskip("ray")
    for each in locked(name):
        # What comes with a virtual environment is not ours to choose.
        if (each.marker and not each.marker.evaluate()) or each.name == "setuptools":
            continue
        installed = version(each.name).partition("+")[0]
        assert each.specifier.contains(installed), each.name


@pytest.mark.skipif(sys.platform != "linux", reason="lists what Linux installs")
def test_the_licences_are_listed_and_known() -> None:
    assert LISTED.read_text(encoding="utf-8") == listing(), "run: make licences"
    for name, _, terms in rows():
        assert terms != "unknown", name
        assert not re.search(r"\bA?GPL", terms), name
