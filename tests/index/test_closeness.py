from pathlib import Path
from typing import Any

import numpy as np
import pytest

from index import closeness, passage
from index.home import Home
from tests.conftest import HashingEncoder, to_catalog


def made(count: int) -> list[dict[str, Any]]:
    """Return `count` artifacts with one intent each, the intent its own words."""
    return [
        {
            "slug": f"a{number}",
            "name": f"Tool {number}",
            "type": "app",
            "capabilities": [
                {
                    "name": f"Task {number}",
                    "description": f"Does the task numbered {number * 7919}.",
                    "intents": [f"do task {number}"],
                }
            ],
        }
        for number in range(count)
    ]


def test_all_but_a_few_intents_reach_the_floor(tmp_path: Path) -> None:
    encoder, catalog = HashingEncoder(), to_catalog(made(200))
    first, second = (
        encoder.encode_passages([views[each] for views in passage.passages(catalog)])
        for each in range(passage.VIEWS)
    )
    needs = closeness.needs(catalog, encoder)
    assert len(needs) == 200
    nearest = (needs @ ((first + second) / 2).T).max(axis=1)
    closeness.build(nearest, tmp_path)
    floor = closeness.read(tmp_path)
    assert floor is not None
    assert np.mean(nearest < floor) == pytest.approx(0.03, abs=0.006)


def test_too_few_intents_say_nothing(built: Home) -> None:
    with built.open() as generation:
        assert generation.floor is None
