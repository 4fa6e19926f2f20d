"""API keys: made once, kept as digests, revoked at once."""

import json
import os
import stat
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from click.testing import Result

from index.errors import KeyNameError, StorageError, UnknownKeyError
from web.keys import FILE, Keys


def test_a_key_is_known_by_its_digest_alone(tmp_path: Path) -> None:
    keys = Keys(tmp_path / "home")
    key = keys.add("one")
    assert len(key) > 43
    assert key not in (tmp_path / "home" / FILE).read_text()
    assert keys.name(key) == "one"
    assert keys.add("two") != key
    assert [each.name for each in keys.all()] == ["one", "two"]
    for wrong in ("", key[:-1], f"{key}x", "\ud800", keys.all()[0].digest):
        with pytest.raises(UnknownKeyError, match="not known, or was revoked"):
            keys.name(wrong)


@pytest.mark.skipif(sys.platform == "win32", reason="modes are of POSIX")
def test_nobody_else_may_read_the_file(tmp_path: Path) -> None:
    Keys(tmp_path).add("one")
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600


def test_another_process_sees_changes_at_once(tmp_path: Path) -> None:
    serving, shell = Keys(tmp_path), Keys(tmp_path)
    key = shell.add("one")
    assert serving.name(key) == "one"
    shell.revoke("one")
    with pytest.raises(UnknownKeyError):
        serving.name(key)


def test_keys_that_are_added_at_once_are_all_kept(tmp_path: Path) -> None:
    names = [f"key-{number:02}" for number in range(12)]
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda name: Keys(tmp_path).add(name), names))
    keys = Keys(tmp_path)
    assert [keys.name(key) for key in made] == names


def test_a_crash_while_writing_leaves_the_keys_as_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = Keys(tmp_path)
    key = keys.add("one")

    def crash(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", crash)
    with pytest.raises(StorageError, match="No space left"):
        keys.add("two")
    monkeypatch.undo()
    assert Keys(tmp_path).name(key) == "one"
    assert [each.name for each in keys.all()] == ["one"]


@pytest.mark.parametrize("name", ["", " ", "a b", "-x", "x" * 65, "a/b", "ä"])
def test_a_name_is_plain(tmp_path: Path, name: str) -> None:
    with pytest.raises(KeyNameError, match="is no name for a key"):
        Keys(tmp_path).add(name)
    assert not (tmp_path / FILE).exists()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"keys": [{"name": "x"}]}'])
def test_a_damaged_file_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / FILE).write_text(content)
    keys = Keys(tmp_path)
    for refused in (keys.all, lambda: keys.name("x"), lambda: keys.add("x")):
        with pytest.raises(StorageError, match=r"keys\.json is damaged; remove it"):
            refused()
    assert (tmp_path / FILE).read_text() == content


@pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() == 0, reason="root may do anything"
)
def test_a_file_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    Keys(tmp_path).add("x")
    (tmp_path / FILE).chmod(0)
    with pytest.raises(StorageError, match="let this user read it"):
        Keys(tmp_path).all()


# -- from the shell -----------------------------------------------------------------


def test_keys_are_added_listed_and_revoked(instead: Callable[..., Result]) -> None:
    assert instead("keys", "list").stdout == "There are no keys.\n"
    added = instead("keys", "add", "laptop")
    key, hint = added.stdout.splitlines()
    assert added.exit_code == 0
    assert "this once" in hint
    made = json.loads(instead("keys", "add", "robot", "--json").stdout)
    assert made["name"] == "robot"
    listed = json.loads(instead("keys", "list", "--json").stdout)
    assert [each["name"] for each in listed] == ["laptop", "robot"]
    assert key not in json.dumps(listed)
    assert instead("keys", "list").stdout.startswith("laptop  2")
    assert instead("keys", "revoke", "laptop").exit_code == 0
    again = instead("keys", "revoke", "laptop")
    assert again.exit_code == 1
    assert again.stderr == ("instead: no key has the name 'laptop' (there: robot)\n")
    for name, reason in (("robot", "already"), ("a b", "no name for a key")):
        refused = instead("keys", "add", name)
        assert (refused.exit_code, refused.stdout) == (2, "")
        assert reason in refused.stderr
