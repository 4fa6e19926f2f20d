"""A damaged generation is refused by the name of the file; the last good one serves."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from index.errors import GenerationError
from index.generation import LOCK, Generation
from index.home import Home
from tests.resilience.work import build_changed

BLOCK = 64


def flipped(content: bytes, other: bytes, chance: random.Random) -> bytes:
    place = chance.randrange(len(content))
    damaged = bytearray(content)
    damaged[place] ^= 1 << chance.randrange(8)
    return bytes(damaged)


def cut(content: bytes, other: bytes, chance: random.Random) -> bytes:
    return content[: chance.randrange(len(content))]


def zeroed(content: bytes, other: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(content))
    end = min(start + BLOCK, len(content))
    return content[:start] + bytes(end - start) + content[end:]


def longer(content: bytes, other: bytes, chance: random.Random) -> bytes:
    return content + chance.randbytes(BLOCK)


def another(content: bytes, other: bytes, chance: random.Random) -> bytes:
    return other


def scrambled(content: bytes, other: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(content))
    return (
        content[:start]
        + chance.randbytes(len(content[start : start + BLOCK]))
        + content[start + BLOCK :]
    )


def missing(content: bytes, other: bytes, chance: random.Random) -> None:
    return None


DAMAGES: list[Callable[[bytes, bytes, random.Random], bytes | None]]
DAMAGES = [flipped, cut, zeroed, longer, another, scrambled, missing]


@pytest.mark.parametrize(
    "cases", [1000, pytest.param(20_000, marks=pytest.mark.nightly)]
)
def test_every_damage_to_any_file_is_refused_by_its_name(
    scratch: Path, cases: int, caplog: pytest.LogCaptureFixture
) -> None:
    home = Home(scratch)
    good, used = build_changed(scratch, 1), build_changed(scratch, 2)
    folder = home.folder(used)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    content = {path: path.read_bytes() for path in files}
    chance = random.Random(3)
    refused = 0
    for number in range(cases):
        path = files[number % len(files)]
        damage = chance.choice(DAMAGES) if path.name != LOCK else missing
        intact = content[path]
        damaged = (
            damage(intact, content[chance.choice(files)], chance) if intact else None
        )
        if damaged == intact:
            continue  # zeros for zeros, or a file for itself
        if damaged is None:
            path.unlink()
        else:
            path.write_bytes(damaged)
        with pytest.raises(GenerationError) as told:
            Generation(folder)
        assert f"generation {used} is damaged: " in str(told.value)
        assert path.relative_to(folder).as_posix() in str(told.value)
        refused += 1
        if number % 10 == 0:
            with home.open() as generation:
                assert generation.id == good
            assert str(told.value) in caplog.text
            caplog.clear()
        path.write_bytes(intact)
    assert refused > cases * 0.9
    with home.open() as generation:
        assert generation.id == used


def test_damage_to_the_pointer_is_met_by_the_last_good_generation(
    scratch: Path,
) -> None:
    home = Home(scratch)
    used = [build_changed(scratch, number) for number in range(2)][-1]
    chance = random.Random(4)
    for content in (b"", b"\0" * 64, b"999999", b"../../etc", b"000001\n\n000002"):
        (scratch / "CURRENT").write_bytes(content)
        with home.open() as generation:
            assert generation.id == used
    for _ in range(50):
        (scratch / "CURRENT").write_bytes(chance.randbytes(chance.randrange(64)))
        with home.open() as generation:
            assert generation.id == used
