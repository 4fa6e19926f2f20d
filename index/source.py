"""Catalogue files as people write them: lines to artifacts, and all that is wrong."""

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from index.artifact import Artifact, Capability
from index.catalog import Catalog
from index.errors import CatalogError

MAX_LINE_BYTES = 1_000_000
"""A longer line is a mistake: the longest real record met is under 50 kB."""


class Place(NamedTuple):
    """A line of a catalogue file."""

    path: Path
    line: int

    def __str__(self) -> str:
        """Return the place as editors and compilers write it."""
        return f"{self.path}:{self.line}"


class Entry(NamedTuple):
    """An artifact as it stands in a file, with fields of the line nobody reads."""

    artifact: Artifact
    place: Place
    unread: tuple[str, ...]


class Examined(NamedTuple):
    """A record's artifact, None if it has faults, and its fields that nobody reads."""

    artifact: Artifact | None
    unread: tuple[str, ...]
    faults: list[str]


def read(paths: Sequence[Path]) -> Catalog:
    """Return the catalogue of files and folders of `*.jsonl`.

    Raises CatalogError with every fault of every file; nothing is read in part.
    """
    entries, faults = parse(paths)
    if faults:
        raise CatalogError(faults)
    return Catalog(entry.artifact for entry in entries)


def parse(paths: Sequence[Path]) -> tuple[list[Entry], list[str]]:
    """Return what the files hold, and all faults: `file:line: field: what is wrong`."""
    entries: list[Entry] = []
    faults: list[str] = []
    first: dict[str, Place] = {}
    for path in _files(paths, faults):
        try:
            lines = path.read_bytes().removeprefix(b"\xef\xbb\xbf").split(b"\n")
        except OSError as error:
            faults.append(f"{path}: cannot be read: {error.strerror}")
            continue
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            place = Place(path, number)
            artifact, unread, problems = examine(line)
            faults += [f"{place}: {problem}" for problem in problems]
            if artifact is None:
                continue
            slug = artifact.slug
            if slug in first:
                faults.append(f"{place}: slug: {slug!r} is already at {first[slug]}")
            else:
                first[slug] = place
                entries.append(Entry(artifact, place, unread))
    if not entries and not faults:
        faults.append(f"{', '.join(map(str, paths))}: holds no artifact")
    return entries, faults


def _files(paths: Sequence[Path], faults: list[str]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            found = sorted(path.glob("*.jsonl"))
            if not found:
                faults.append(f"{path}: the folder holds no *.jsonl file")
            yield from found
        elif path.exists():
            yield path
        else:
            faults.append(f"{path}: no such file or folder")


def examine(line: bytes) -> Examined:
    """Return what one record holds, and all its faults: `field: what is wrong`."""
    if len(line) > MAX_LINE_BYTES:
        size = f"{len(line):,} bytes, more than {MAX_LINE_BYTES:,}"
        return Examined(None, (), [f"line: is {size}; one artifact a line"])
    try:
        line.decode("utf-8")
    except UnicodeDecodeError as error:
        fault = f"line: is not UTF-8 at byte {error.start + 1}"
        return Examined(None, (), [fault])
    try:
        artifact = Artifact.model_validate_json(line, strict=True)
    except ValidationError as error:
        return Examined(None, (), _problems(error))
    repeated = _repeated([each.id for each in artifact.capabilities if each.id])
    if repeated:
        faults = [f"capabilities: the id {each!r} is given twice" for each in repeated]
        return Examined(None, (), faults)
    try:
        record = json.loads(line, parse_float=_finite, parse_constant=_finite)
    except ValueError as error:
        return Examined(None, (), [f"line: {error}"])
    return Examined(artifact, _unread(record), [])


def _finite(text: str) -> float:
    """Return a number; ValueError if it has no end, which no JSON could say again."""
    if not math.isfinite(number := float(text)):
        raise ValueError(f"holds the number {text}, which has no end")
    return number


_PROBLEMS = {
    "missing": "is required",
    "too_short": "needs at least one",
    "string_pattern_mismatch": "should be lower-case letters, digits, '.', '_' and "
    "'-', a letter or digit first",
}


def _problems(error: ValidationError) -> list[str]:
    problems = []
    for detail in error.errors(include_url=False, include_context=False):
        if detail["type"] == "too_short" and detail["input"]:
            continue  # its items are at fault, and named
        if detail["type"] == "json_invalid":
            problems.append(f"line: is not JSON: {detail['msg'].split(': ', 1)[-1]}")
            continue
        field = ""
        for step in detail["loc"]:
            field += f"[{step}]" if isinstance(step, int) else f".{step}"
        problem = _PROBLEMS.get(detail["type"], detail["msg"])
        problem = problem.removeprefix("Value error, ").removeprefix("Input ")
        if detail["type"] not in _PROBLEMS:
            problem += f", not {_shown(detail['input'])}"
        problems.append(f"{field.removeprefix('.') or 'line'}: {problem}")
    return problems


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=True, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _repeated(values: Sequence[str]) -> list[str]:
    return sorted({value for value in values if values.count(value) > 1})


def _unread(record: dict[str, Any]) -> tuple[str, ...]:
    unread = [name for name in record if name not in _READ]
    for number, capability in enumerate(record["capabilities"]):
        unread += [
            f"capabilities[{number}].{name}"
            for name in capability
            if name not in _READ_OF_CAPABILITIES
        ]
    return tuple(unread)


_READ = frozenset(Artifact.model_fields)
_READ_OF_CAPABILITIES = frozenset(Capability.model_fields)
