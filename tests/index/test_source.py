import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from index.artifact import TYPES
from index.errors import CatalogError
from index.source import MAX_LINE_BYTES, examine, parse, read

GOOD: dict[str, Any] = {
    "slug": "a",
    "name": "A",
    "type": "model",
    "capabilities": [{"name": "Draw", "description": "Draws."}],
}


def faults(tmp_path: Path, *lines: bytes | dict[str, Any]) -> list[str]:
    """Return the faults of a file of these lines, without the file's name."""
    path = tmp_path / "bad.jsonl"
    raw = [json.dumps(x).encode() if isinstance(x, dict) else x for x in lines]
    path.write_bytes(b"\n".join(raw))
    found = parse([path])[1]
    assert all(fault.startswith(f"{path}:") for fault in found)
    return [fault.removeprefix(f"{path}:") for fault in found]


def test_a_good_line_has_no_fault(tmp_path: Path) -> None:
    assert faults(tmp_path, GOOD) == []


def test_every_type_of_the_format_is_accepted(tmp_path: Path) -> None:
    lines = [{**GOOD, "slug": kind, "type": kind} for kind in TYPES]
    assert faults(tmp_path, *lines) == []
    assert len(TYPES) == 19


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"slug": "Not A Slug"}, "slug: should be lower-case letters"),
        ({"slug": "-a"}, "slug: should be lower-case letters"),
        ({"name": 5}, "name: should be a valid string, not 5"),
        ({"name": "  "}, "name: is empty"),
        ({"name": "a\u0000b"}, "name: contains the control character U+0000"),
        ({"name": "a\u001b[31m"}, "name: contains the control character U+001B"),
        ({"type": "toaster"}, "type: should be 'agent', 'api'"),
        ({"capabilities": []}, "capabilities: needs at least one"),
        ({"capabilities": "draw"}, "capabilities: should be a valid"),
        ({"capabilities": [{"name": "Draw"}]}, "capabilities[0].description: is requ"),
        ({"url": "javascript:alert(1)"}, "url: should be an http:// or https:// addr"),
        ({"url": "https://a b"}, "url: should be an http:// or https:// addr"),
        ({"tags": "one"}, "tags: should be a valid"),
        ({"pricing": {"model": "cheap"}}, "pricing.model: should be 'open_source'"),
        ({"facts": {"offline": "yes"}}, "facts.offline: should be a valid boolean"),
        ({"facts": {"parameters": -1}}, "facts.parameters: should be greater than"),
        ({"evidence": {"offline": {}}}, "evidence.offline.source: is required"),
        ({"signals": [{"name": "stars", "value": "5"}]}, "signals[0].value: should be"),
        ({"updated_at": "yesterday"}, "updated_at: should be a valid date"),
    ],
)
def test_a_wrong_field_is_named(
    tmp_path: Path, change: dict[str, Any], fault: str
) -> None:
    found = faults(tmp_path, {**GOOD, **change})
    assert len(found) == 1
    assert found[0].startswith(f"1: {fault}")


@pytest.mark.parametrize("field", ["slug", "name", "type", "capabilities"])
def test_a_required_field_is_missed(tmp_path: Path, field: str) -> None:
    line = {name: value for name, value in GOOD.items() if name != field}
    assert faults(tmp_path, line) == [f"1: {field}: is required"]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (b"not json", "1: line: is not JSON"),
        (b"[1]", "1: line: should be an object"),
        (b'{"slug": "a", "name": "\xff"}', "1: line: is not UTF-8 at byte 24"),
        (b"[" * 100_000, "1: line: is not JSON: recursion limit"),
        (b'{"slug": "a", "name": "\\ud800"}', "1: line: is not JSON"),
        (b'"' + b"x" * 2_000_000 + b'"', "1: line: is 2,000,002 bytes, more than"),
    ],
)
def test_a_line_that_is_no_artifact_is_named(
    tmp_path: Path, line: bytes, fault: str
) -> None:
    found = faults(tmp_path, line)
    assert len(found) == 1
    assert found[0].startswith(fault)
    assert MAX_LINE_BYTES == 1_000_000


@pytest.mark.parametrize(
    ("number", "fault"),
    [
        ("1e999", "line: holds the number 1e999, which has no end"),
        ("-Infinity", "line: holds the number -Infinity, which has no end"),
        ("NaN", "line: holds the number NaN, which has no end"),
        ("9" * 5000, "line: is not JSON: number out of range"),
    ],
)
def test_a_number_that_no_json_can_say_again_is_refused(
    number: str, fault: str
) -> None:
    line = json.dumps({**GOOD, "meta": {"any": ["N"]}}).replace('"N"', number)
    (found,) = examine(line.encode()).faults
    assert found.startswith(fault)


def test_all_faults_of_all_lines_are_listed(tmp_path: Path) -> None:
    found = faults(tmp_path, *[{**GOOD, "type": "x", "name": 1}] * 500)
    assert len(found) == 1000


def test_a_slug_used_twice_is_named_with_both_places(tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    assert faults(tmp_path, GOOD, GOOD) == [f"2: slug: 'a' is already at {path}:1"]


def test_capability_ids_differ_within_an_artifact(tmp_path: Path) -> None:
    twice = [{"id": "draw", "name": "D", "description": "d"}] * 2
    found = faults(tmp_path, {**GOOD, "capabilities": twice})
    assert found == ["1: capabilities: the id 'draw' is given twice"]


def test_a_missing_file_an_empty_folder_and_an_empty_file_are_named(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    missing = tmp_path / "missing.jsonl"
    assert parse([folder, missing])[1] == [
        f"{folder}: the folder holds no *.jsonl file",
        f"{missing}: no such file or folder",
    ]
    empty = tmp_path / "empty.jsonl"
    empty.write_text("\n\n")
    assert parse([empty])[1] == [f"{empty}: holds no artifact"]


def test_reading_refuses_the_whole_catalogue_with_all_faults(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps(GOOD))
    (tmp_path / "b.jsonl").write_text(json.dumps({**GOOD, "slug": "b", "type": "x"}))
    with pytest.raises(CatalogError) as refused:
        read([tmp_path])
    assert len(refused.value.faults) == 1
    assert "b.jsonl:1: type:" in refused.value.faults[0]


def test_a_folder_is_read_whole_and_a_byte_order_mark_is_no_fault(
    tmp_path: Path,
) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps(GOOD))
    later = json.dumps({**GOOD, "slug": "b"}).encode()
    (tmp_path / "b.jsonl").write_bytes(b"\xef\xbb\xbf" + later + b"\r\n")
    assert list(read([tmp_path])) == ["a", "b"]


def test_an_empty_optional_text_is_unknown(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({**GOOD, "provider": "", "url": ""}))
    assert read([path])["a"].provider is None


def test_fields_that_nobody_reads_are_told(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    capability = {**GOOD["capabilities"][0], "speed": "fast"}
    line = {**GOOD, "licence": "MIT", "capabilities": [capability]}
    path.write_text(json.dumps(line))
    entries, found = parse([path])
    assert found == []
    assert entries[0].unread == ("licence", "capabilities[0].speed")


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=20) | st.integers(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(
        st.sampled_from([*GOOD, "url", "facts", "signals", "pricing", "meta", "tags"]),
        json_values,
    )
)
def test_any_json_is_read_or_refused_with_a_reason(line: dict[str, Any]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "any.jsonl"
        path.write_text(json.dumps(line) + "\n")
        entries, found = parse([path])
    assert len(entries) == 1 or found
