import sys

import pytest

from web import progress
from web.progress import Lines


def test_a_pipe_gets_a_plain_line_at_the_end_of_a_stage(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with progress.shown() as report:
        for done in range(0, 1001, 100):
            report("passages", done, 1000)
    assert capsys.readouterr().err == "passages 1,000/1,000\n"


def test_a_slow_stage_is_told_of_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "LINE_EVERY_S", 0.0)
    lines = Lines()
    lines("passages", 1, 3)
    lines("passages", 2, 3)
    assert capsys.readouterr().err == "passages 1/3\npassages 2/3\n"


def test_a_terminal_gets_bars(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with progress.shown() as report:
        report("passages", 0, 3)
        report("passages", 3, 3)
    printed = capsys.readouterr().err
    assert "passages" in printed
    assert "3/3" in printed
