from datetime import date
from pathlib import Path

import pytest

from index import scales
from index.artifact import Signal
from index.scales import PEERS, Scales, newest
from tests.conftest import to_catalog

SOURCE = "https://example.org/stars"


def signal(value: float, day: int = 1, name: str = "stars") -> Signal:
    return Signal(name=name, value=value, as_of=date(2026, 1, day), source=SOURCE)


def test_a_figure_is_measured_within_its_type_or_over_all(tmp_path: Path) -> None:
    artifacts = [
        {
            "slug": f"{kind}-{number}",
            "name": "x",
            "type": kind,
            "signals": [signal(value).model_dump(mode="json")],
            "capabilities": [{"name": "x", "description": "x"}],
        }
        for kind, values in (("cli", [1, 9, 99, 99, 999]), ("model", [99_999]))
        for number, value in enumerate(values)
    ]
    scales.build(to_catalog(artifacts), tmp_path)
    found = Scales(tmp_path)
    assert len([each for each in artifacts if each["type"] == "cli"]) == PEERS
    assert found.share("cli", signal(999)) == 1
    assert found.share("cli", signal(9)) == pytest.approx(1 / 3)
    assert found.share("model", signal(9)) == pytest.approx(1 / 5)
    assert found.share("model", signal(10**9)) == 1
    assert found.share("cli", signal(0)) == 0
    assert found.share("cli", signal(5, name="unheard")) == 0


def test_the_newest_figure_with_date_and_source_counts() -> None:
    undated = Signal(name="stars", value=5, source=SOURCE)
    unsourced = Signal(name="stars", value=6, as_of=date(2026, 5, 5))
    dated = [signal(1, day=2), signal(2, day=9), signal(3, day=4)]
    assert newest([undated, unsourced]) == {}
    assert newest([*dated, undated, unsourced])["stars"].value == 2
