import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from index.builder import build
from index.catalog import Catalog
from index.errors import (
    DamagedError,
    EngineError,
    NoGenerationError,
    SettingError,
    StoreError,
)
from index.generation import MANIFEST, Manifest, verify
from index.home import CURRENT, Home
from index.store import Store
from search.engine import Engine
from search.need import Need
from tests.conftest import ARTIFACTS, HashingEncoder, to_catalog


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """A store of either kind: one contract holds for both."""
    if request.param == "folder":
        return Store(str(tmp_path / "store"))
    return Store(f"s3://{request.getfixturevalue('bucket')}/some/prefix")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "folder"


@pytest.fixture
def other(tmp_path: Path) -> Home:
    """A home on another machine."""
    return Home(tmp_path / "other")


def objects(store: Store) -> dict[str, bytes]:
    """Return all that a store holds, by its name there."""
    found = store._fs.find(store._root)
    return {each.removeprefix(f"{store._root}/"): store._fs.cat(each) for each in found}


def answers(home: Home) -> list[Any]:
    """Return what a home answers, scores included."""
    needs = ("grounded captioning", "transcribe a meeting", "sql for an agent")
    with home.open() as generation:
        engine = Engine(generation, HashingEncoder())
        found = [engine.search(Need.read(each)) for each in needs]
        return [[(hit.artifact.slug, hit.score) for hit in each.hits] for each in found]


def test_what_is_pushed_and_pulled_is_the_same_generation(
    store: Store, built: Home, other: Home
) -> None:
    sent = store.push(built)
    assert (sent.files, sent.bytes) == (
        len(sent.manifest.files),
        sum(each["bytes"] for each in sent.manifest.files.values()),
    )
    assert not store.is_used(other)
    fetched = store.pull(other)
    assert fetched == sent
    assert other.current() == built.current() == sent.manifest.id
    assert verify(other.folder("000001")).digest == sent.manifest.digest
    assert store.current() == sent.manifest.digest
    assert store.is_used(other)
    assert answers(other) == answers(built)
    left = {*other.folder("000001").parent.iterdir()}
    assert left == {other.folder("000001")}


def test_only_what_is_not_there_travels(
    store: Store, built: Home, other: Home, encoder: HashingEncoder
) -> None:
    store.push(built)
    store.pull(other)
    assert store.push(built)[1:] == (0, 0)
    assert store.pull(other)[1:] == (0, 0)
    fewer = to_catalog(ARTIFACTS[:3])
    manifest = build(fewer, encoder, built)
    sent, seen = store.push(built), []
    assert 0 < sent.files < len(manifest.files)
    fetched = store.pull(other, progress=lambda *told: seen.append(told))
    assert fetched == sent
    whole = sum(each["bytes"] for each in manifest.files.values())
    assert seen[-1] == ("bytes", whole, whole)
    assert other.ids() == ["000001", "000002"] and other.current() == "000002"


def test_an_earlier_generation_is_pulled_by_its_digest(
    store: Store, built: Home, other: Home, encoder: HashingEncoder, catalog: Catalog
) -> None:
    first = store.push(built).manifest
    build(catalog, encoder, built)
    store.push(built)
    store.pull(other)
    assert other.current() == "000002"
    assert store.pull(other, first.digest).manifest == first
    assert other.current() == "000001"
    assert not store.is_used(other)
    built.rollback()
    store.push(built)  # which takes all that follow back
    assert store.is_used(other)


def test_what_is_damaged_here_is_fetched_anew(
    store: Store, built: Home, other: Home, encoder: HashingEncoder, catalog: Catalog
) -> None:
    manifest = store.push(built).manifest
    store.pull(other)
    path = other.folder("000001") / "catalog.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + b"x")
    with pytest.raises(DamagedError, match=r"catalog\.jsonl"):
        other.open()
    with pytest.raises(DamagedError, match=r"catalog\.jsonl"):
        store.push(other)
    assert store.pull(other).files == 1
    assert path.read_bytes() == whole
    (other.folder("000001") / MANIFEST).write_bytes(b"{}")
    store.pull(other)
    assert verify(other.folder("000001")) == manifest
    # Nor is it taken over into a later one.
    path.write_bytes(whole[:-1] + b"x")
    build(catalog, encoder, built)
    store.push(built)
    store.pull(other)
    assert (other.folder("000002") / "catalog.jsonl").read_bytes() == whole


HARMS = ("missing", "changed", "longer", "shorter")


def harm(store: Store, name: str, content: bytes, how: str) -> None:
    path = f"{store._root}/{name}"
    if how == "missing":
        store._fs.rm(path)
        return
    middle = len(content) // 2
    flipped = bytes([content[middle] ^ 1])
    changed = content[:middle] + flipped + content[middle + 1 :]
    made = {"changed": changed, "longer": content + b"x", "shorter": content[:-1]}
    store._fs.pipe_file(path, made[how])


def hold_to_refusal(store: Store, other: Home, name: str, how: str) -> None:
    with pytest.raises(EngineError) as refused:
        store.pull(other)
    said = str(refused.value)
    assert "push" in said, name
    if name == CURRENT:  # another digit of it is a digest that nobody has
        assert isinstance(refused.value, NoGenerationError | StoreError)
    elif how == "missing" and name.startswith("manifests/"):
        assert isinstance(refused.value, NoGenerationError)
        assert name.removeprefix("manifests/") in said
    else:
        assert isinstance(refused.value, StoreError), name
        assert name in said
    assert other.ids() == [] and other.current() is None


def needed(store: Store) -> dict[str, bytes]:
    """Return the objects that a pull looks at; of an empty one nothing can differ."""
    found = objects(store).items()
    return {
        name: content
        for name, content in found
        if content and not name.startswith("generations/")
    }


@pytest.mark.parametrize("how", HARMS)
def test_each_object_that_is_not_as_it_was_is_refused_by_name(
    folder: Path, built: Home, other: Home, how: str
) -> None:
    store = Store(str(folder))
    store.push(built)
    for name, content in needed(store).items():
        harm(store, name, content, how)
        hold_to_refusal(store, other, name, how)
        store._fs.pipe_file(f"{store._root}/{name}", content)
    store.pull(other)


def test_an_object_of_s3_that_is_not_as_it_was_is_refused_by_name(
    bucket: str, built: Home, other: Home
) -> None:
    store = Store(f"s3://{bucket}")
    store.push(built)
    objects = [*needed(store).items()]
    for how, (name, content) in zip(HARMS * 2, objects[:3] + objects[-5:], strict=True):
        harm(store, name, content, how)
        hold_to_refusal(store, other, name, how)
        store._fs.pipe_file(f"{store._root}/{name}", content)
    store.pull(other)


def test_a_push_mends_what_is_missing_or_cut(
    folder: Path, built: Home, other: Home
) -> None:
    store = Store(str(folder))
    store.push(built)
    first, second, *_ = sorted(
        path for path in (folder / "files").iterdir() if path.stat().st_size
    )
    first.unlink()
    second.write_bytes(second.read_bytes()[:-1])
    assert store.push(built).files == 2
    store.pull(other)


def test_what_a_store_names_outside_its_folder_is_refused(
    folder: Path, built: Home, other: Home
) -> None:
    store = Store(str(folder))
    good = store.push(built).manifest
    name, entry = next(iter(good.files.items()))
    evil: list[Manifest] = [
        replace(good, files={each: entry})
        for each in ("../../out", "/tmp/out", "a/../../../out", "lock", "a\\b", "")
    ]
    evil += [
        replace(good, id="../000002"),
        replace(good, files={name: {**entry, "sha256": "../CURRENT"}}),
        replace(good, files={name: {**entry, "bytes": "x"}}),
        replace(good, files={name: {}}),
        replace(good, files=[name]),  # type: ignore[arg-type]  # it is of a stranger
    ]
    for each in evil:
        (folder / "manifests" / each.digest).write_bytes(each.dump())
        with pytest.raises(StoreError, match=f"manifests/{each.digest}"):
            store.pull(other, each.digest)
    assert other.ids() == []


def test_a_home_with_another_generation_of_that_id_is_left_alone(
    store: Store, built: Home, other: Home, encoder: HashingEncoder
) -> None:
    store.push(built)
    own = build(to_catalog(ARTIFACTS[:2]), encoder, other)
    with pytest.raises(StoreError, match=r"of its own.*--home"):
        store.pull(other)
    with pytest.raises(StoreError, match=r"another generation 000001.*pull --home"):
        store.push(other)
    assert verify(other.folder("000001")) == own
    assert not store.is_used(other)


def test_nothing_to_push_and_nothing_to_pull_are_clear(
    store: Store, home: Home, built: Home, other: Home
) -> None:
    with pytest.raises(NoGenerationError, match="instead build"):
        store.push(other)
    with pytest.raises(NoGenerationError, match=r"no generation in .* yet.*push"):
        store.pull(other)
    store.push(built)
    with pytest.raises(NoGenerationError, match=f"no generation {'0' * 64}"):
        store.pull(other, "0" * 64)
    with pytest.raises(SettingError, match="'000001' is no digest"):
        store.pull(other, "000001")


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("nothing://x", "is no address of a store"),
        ("s3://", "names no folder or bucket"),
        ("file:///", "names no folder or bucket"),
        ("nothing://me:secret@x", r"nothing://x"),
    ],
)
def test_an_address_of_no_store_is_refused(address: str, reason: str) -> None:
    if address.startswith("s3"):
        pytest.importorskip("s3fs")
    with pytest.raises(SettingError, match=reason) as refused:
        Store(address)
    assert "secret" not in str(refused.value)


def test_without_s3fs_an_address_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    registry = sys.modules["fsspec.registry"]
    monkeypatch.delitem(registry._registry, "s3", raising=False)
    with pytest.raises(SettingError, match=r"pip install 'instead\[s3\]'"):
        Store("s3://bucket/prefix")


def test_a_store_out_of_reach_is_one_clear_error(
    bucket: str, built: Home, other: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    store = Store(f"s3://{bucket}")
    for work in (store.push, store.pull):
        with pytest.raises(StoreError, match=f"s3://{bucket} does not give or take"):
            work(built)


def test_a_folder_that_refuses_is_one_clear_error(tmp_path: Path, built: Home) -> None:
    (tmp_path / "file").touch()
    store = Store(str(tmp_path / "file" / "store"))
    with pytest.raises(StoreError, match="Not a directory"):
        store.push(built)
    with pytest.raises(StoreError, match="Not a directory"):
        store.pull(built)


def test_commands_push_and_pull(
    folder: Path, built: Home, other: Home, instead: Any
) -> None:
    first = instead("push", folder)
    assert first.exit_code == 0
    head, digest = first.stdout.splitlines()
    assert head.startswith("generation 000001 is in use; ") and " sent, " in head
    sent = json.loads(instead("push", folder, "--json").stdout)
    assert sent["moved"] == {"files": 0, "bytes": 0}
    assert digest == f"digest {sent['digest']}"
    words = ("--home", other.path, "--json", "--digest", sent["digest"])
    fetched = instead("pull", folder, *words)
    assert json.loads(fetched.stdout)["digest"] == sent["digest"]
    assert "bytes" in fetched.stderr
    for wrong, status in (
        (("pull",), 2),
        (("push", "nothing://x"), 2),
        (("pull", folder, "--digest", "x"), 2),
        (("pull", folder, "--digest", "0" * 64), 1),
        (("pull", folder / "empty"), 1),
    ):
        refused = instead(*wrong)
        assert refused.exit_code == status
        (line,) = refused.stderr.splitlines()
        assert line.startswith("instead: ")
