import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from index.home import Home
from search.confidence import (
    CLOSENESS_STEP,
    NAMED,
    SCORE_STEP,
    Calibration,
    Evidence,
)
from search.engine import Engine
from search.need import Need
from tests.conftest import HashingEncoder

CALIBRATION = Calibration(
    version="test",
    encoder=HashingEncoder().digest,
    fits=(0.5, 2.0),
    right=(-0.1, 0.8, 0.2, 0.9, 0.7),
    cutoff=0.01,
    min_closeness=0.2,
)


def evidence(**change: Any) -> Evidence:
    two = Evidence(
        closeness=np.array([0.6, 0.3]),
        scores=np.array([1.0, 0.7]),
        said=np.array([0.4, 0.1]),
        covered=np.array([0.2, 0.05]),
        named=np.array([False, False]),
    )
    return two._replace(**{name: np.array(value) for name, value in change.items()})


def logistic(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def test_confidence_is_the_formula_written_out() -> None:
    scores = [(1.0 - 1.0) / SCORE_STEP, (0.7 - 1.0) / SCORE_STEP]
    closeness = [(0.6 - 0.6) / CLOSENESS_STEP, (0.3 - 0.6) / CLOSENESS_STEP]
    standing = scores[1] - math.log(sum(map(math.exp, scores)))
    nearness = closeness[1] - math.log(sum(map(math.exp, closeness)))
    right = -0.1 + 0.8 * standing + 0.2 * nearness + 0.9 * 0.1 + 0.7 * 0.05
    expected = logistic(0.5 + 2.0 * 0.3) * logistic(right)
    assert CALIBRATION.confidence(evidence())[1] == pytest.approx(expected)


def test_a_rival_as_good_halves_what_is_left() -> None:
    alone = CALIBRATION.confidence(evidence(scores=[1.0, 0.0]))[0]
    rivalled = CALIBRATION.confidence(evidence(scores=[1.0, 1.0]))[0]
    assert rivalled < alone


def test_a_name_leaves_no_doubt() -> None:
    likely = CALIBRATION.confidence(evidence(named=[True, False]))
    assert likely[0] == NAMED
    assert CALIBRATION.shown(evidence(named=[True, False], closeness=[0, 0]))[0]


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        ({}, [True, True]),
        ({"closeness": [0.6, 0.4]}, [True, True]),
        ({"closeness": [0.1, 0.1]}, [False, False]),
        ({"closeness": [0.1, 0.1], "said": [0.8, 0.1]}, [True, True]),
        ({"scores": [1.0, 0.1]}, [True, False]),
    ],
)
def test_what_is_unlikely_is_not_shown_and_nothing_if_all_is_far(
    change: dict[str, Any], shown: list[bool]
) -> None:
    assert CALIBRATION.shown(evidence(**change)).tolist() == shown


def test_the_catalogue_itself_says_what_is_near() -> None:
    assert CALIBRATION.shown(evidence(), floor=0.5).tolist() == [True, True]
    assert CALIBRATION.shown(evidence(), floor=0.7).tolist() == [False, False]


def test_no_hits_have_no_confidence() -> None:
    none = evidence(closeness=[], scores=[], said=[], covered=[], named=[])
    assert CALIBRATION.confidence(none).tolist() == []


def test_the_shipped_calibration_is_for_the_default_encoder() -> None:
    shipped = Calibration.shipped()
    assert len(shipped.encoder) == 64
    assert len(shipped.right) == 1 + evidence().features().shape[1]
    assert 0 < shipped.cutoff < 0.1
    likely = shipped.confidence(evidence())
    assert 0 < likely[1] < likely[0] < 1


@pytest.fixture
def calibrated(built: Home, encoder: HashingEncoder) -> Engine:
    return Engine(built.open(), encoder, CALIBRATION)


def test_only_what_is_good_enough_is_shown_and_counted(calibrated: Engine) -> None:
    need = Need.read("grounded captioning")
    answer = calibrated.search(need)
    whole = Engine(calibrated.generation, HashingEncoder()).search(need)
    assert 0 < answer.total < whole.total
    assert sum(answer.facets["type"].values()) == answer.total == len(answer.hits)
    assert all(hit.confidence and hit.confidence >= 0.01 for hit in answer.hits)
    assert answer.nearest is None


def test_without_a_calibration_confidence_is_unknown(engine: Engine) -> None:
    answer = engine.search(Need.read("grounded captioning"))
    assert all(hit.confidence is None for hit in answer.hits)


def test_a_need_that_nothing_meets_gets_the_nearest_and_what_it_lacks(
    built: Home, encoder: HashingEncoder
) -> None:
    strict = replace(CALIBRATION, min_closeness=0.9)
    with Engine(built.open(), encoder, strict) as engine:
        answer = engine.search(Need.read("zeppelin wheel pictures of the ocean"))
    assert answer.hits == ()
    assert answer.total == 0
    assert not any(answer.facets.values())
    assert answer.nearest is not None
    assert "zeppelin" in answer.lacks
    assert "the" not in answer.lacks
    best = answer.nearest.matches[0].capability
    assert ("pictures" in answer.lacks) != ("picture" in best.description)
