from datetime import UTC, datetime
from pathlib import Path

import pytest

from index.errors import EventError, FeedbackError
from index.events import MatchEvent
from index.pastneeds import read, write


def test_the_least_of_a_line_is_enough(tmp_path: Path) -> None:
    path = tmp_path / "past.jsonl"
    line = '{"need": "captions", "artifact": "a", "outcome": "worked"}\n'
    path.write_text(line + "\n" + line)
    first, second = read(path)
    assert (first.need, first.artifact, first.outcome) == ("captions", "a", "worked")
    assert first.id != second.id  # it happened twice
    assert [each.id for each in read(path)] == [first.id, second.id]


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    at = datetime(2026, 8, 21, 10, 0, 0, 123456, tzinfo=UTC)
    events = [
        MatchEvent(
            "1", "captions", "shown", at, "a", "m", "c", 3, 0.5, 1.0, "000001",
            "cli", "fine", {"keyword": 0.5},
        ),
        MatchEvent("2", "na\u00efve", "unmet", at),
    ]  # fmt: skip
    path = tmp_path / "past.jsonl"
    assert write(path, events) == 2
    assert read(path) == events


def test_all_faults_are_listed_with_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "past.jsonl"
    path.write_text(
        '{"need": "", "artifact": "A B", "outcome": "loved"}\n'
        "nonsense\n"
        '{"need": "x", "outcome": "worked"}\n'
        '{"need": "x", "artifact": "a", "outcome": "unmet"}\n'
        '{"need": "x", "artifact": "a", "outcome": "worked", "at": "2026-08-21"}\n'
        '{"need": "x", "artifact": "a", "outcome": "worked", "position": 0}\n'
    )
    with pytest.raises(FeedbackError) as error:
        read(path)
    text = str(error.value)
    for fault in (
        ":1: need:", ":1: artifact:", ":1: outcome:", ":2: line: invalid json",
        ":3: artifact: every outcome but unmet has one", ":4: artifact:", ":5: at:",
        ":6: position:",
    ):  # fmt: skip
        assert f"{path}{fault}" in text


def test_a_list_of_faults_ends(tmp_path: Path) -> None:
    path = tmp_path / "past.jsonl"
    path.write_text("x\n" * 1000)
    with pytest.raises(FeedbackError, match="and 900 more"):
        read(path)


def test_files_that_cannot_be_had_are_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(EventError, match="cannot be read"):
        read(tmp_path / "none")
    with pytest.raises(EventError, match="cannot be written"):
        write(tmp_path / "no" / "folder", [])
