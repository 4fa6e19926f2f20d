"""An encoder that is missing, fails or hangs, and what answers then."""

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from index.errors import EncoderError
from index.home import Home
from search import deadline
from search.alternatives import Replacer
from search.comparison import Comparer
from search.deadline import HANGS, MissingEncoder, TimelyEncoder
from search.engine import Engine
from search.evaluation import evaluate
from search.graph import MatchGraph
from search.need import Need
from tests.conftest import HashingEncoder
from web.asking import today

SHORT_S = 0.25


class Ailing(HashingEncoder):
    """Encodes until it is told to hang or to fail."""

    def __init__(self) -> None:
        super().__init__()
        self.well = threading.Event()
        self.well.set()
        self.fault: Exception | None = None
        self.asked = 0

    def encode_need(self, text: str) -> NDArray[np.float32]:
        self.asked += 1
        if self.fault:
            raise self.fault
        self.well.wait(timeout=30)
        return super().encode_need(text)

    def is_word(self, text: str) -> bool:
        if self.fault:
            raise self.fault
        return super().is_word(text)


@pytest.fixture
def ailing() -> Iterator[Ailing]:
    encoder = Ailing()
    yield encoder
    encoder.well.set()


@pytest.fixture
def timely(ailing: Ailing) -> TimelyEncoder:
    return TimelyEncoder(ailing, SHORT_S)


def waited(encoder: TimelyEncoder, text: str = "captions") -> float:
    """Return how many seconds `encoder` took to refuse."""
    started = time.monotonic()
    with pytest.raises(EncoderError):
        encoder.encode_need(text)
    return time.monotonic() - started


def test_a_vector_in_time_is_the_encoders_own(timely: TimelyEncoder) -> None:
    expected = HashingEncoder().encode_need("captions")
    assert np.array_equal(timely.encode_need("captions"), expected)
    assert timely.is_word("zeppelin")
    assert not timely.is_word("captoins")


def test_one_call_that_hangs_is_waited_for_and_no_other(
    timely: TimelyEncoder, ailing: Ailing
) -> None:
    ailing.well.clear()
    assert waited(timely) >= SHORT_S
    assert sum(waited(timely) for _ in range(100)) < SHORT_S
    assert ailing.asked == 1


def test_threads_that_hang_at_once_all_come_back(
    timely: TimelyEncoder, ailing: Ailing
) -> None:
    ailing.well.clear()
    threads = [threading.Thread(target=waited, args=(timely,)) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(timeout=20 * SHORT_S)
    assert not [each for each in threads if each.is_alive()]


def test_after_a_while_one_need_tries_again(
    timely: TimelyEncoder, ailing: Ailing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deadline, "RETRY_S", 4 * SHORT_S)
    ailing.well.clear()
    waited(timely)
    time.sleep(4 * SHORT_S)
    threads = [threading.Thread(target=waited, args=(timely,)) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert ailing.asked == 2
    ailing.well.set()
    time.sleep(4 * SHORT_S)
    assert timely.encode_need("captions").any()
    assert timely.encode_need("boxes").any()


def test_threads_left_behind_are_bounded_and_end_when_they_can(
    timely: TimelyEncoder, ailing: Ailing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deadline, "RETRY_S", 0.0)
    monkeypatch.setattr(deadline, "HUNG", 2)
    ailing.well.clear()
    before = set(threading.enumerate())  # of other tests, which may end meanwhile
    for _ in range(6):
        waited(timely)
        time.sleep(SHORT_S)  # by then the one that tries may be another one
    assert ailing.asked == 2
    left = set(threading.enumerate()) - before
    assert len(left) == 2
    ailing.well.set()
    for thread in left:
        thread.join(10)
        assert not thread.is_alive()
    assert timely.encode_need("captions").any()


def test_an_encoder_that_fails_is_not_asked_at_once_again(
    timely: TimelyEncoder, ailing: Ailing, caplog: pytest.LogCaptureFixture
) -> None:
    ailing.fault = RuntimeError("no memory")
    for _ in range(3):
        waited(timely)
    assert ailing.asked == 1
    assert [each.message for each in caplog.records] == [
        "needs are answered by words alone: encoder: no memory"
    ]
    assert timely.is_word("captoins")  # nothing is corrected that cannot be looked up


def test_threads_end_with_the_encoder(ailing: Ailing) -> None:
    before = set(threading.enumerate())  # of other tests, which may end meanwhile
    timely = TimelyEncoder(ailing)
    timely.encode_need("captions")
    (thread,) = set(threading.enumerate()) - before
    del timely
    thread.join(10)
    assert not thread.is_alive()


# -- what answers -------------------------------------------------------------------


@pytest.fixture(params=["missing", "fails", "hangs"])
def degraded(
    request: pytest.FixtureRequest,
    built: Home,
    ailing: Ailing,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Engine]:
    """An engine whose encoder has no vector for a need."""
    monkeypatch.setattr(TimelyEncoder.__init__, "__defaults__", (SHORT_S,))
    with built.open() as generation:
        if request.param == "missing":
            yield Engine(generation, MissingEncoder(EncoderError("no model")))
            return
        engine = Engine(generation, ailing)
        if request.param == "fails":
            ailing.fault = OSError("no memory")
        else:
            ailing.well.clear()
        yield engine


def test_words_alone_answer(degraded: Engine) -> None:
    answer = degraded.search(Need.read("grounded captioning, self-hosted"))
    assert answer.need.degraded
    assert [each.artifact.slug for each in answer.hits] == ["kosmos-2"]
    (hit,) = answer.hits
    assert hit.confidence is None
    assert hit.checked[0].status == "satisfied"
    explanation = hit.explanation
    legs = {each.leg for each in explanation.parts}
    assert legs == {"keyword"}
    leaves = sum(part.value for part in explanation.parts)
    assert leaves == pytest.approx(hit.score)


def test_a_name_and_an_anchor_need_no_vector(degraded: Engine) -> None:
    assert degraded.search(Need.read("Sketcher")).hits[0].artifact.slug == "sketcher"
    like = degraded.search(Need.read("like kosmos-2 but free"))
    assert like.need.anchors
    assert "kosmos-2" not in {each.artifact.slug for each in like.hits}


def test_words_that_nothing_has_find_nothing(degraded: Engine) -> None:
    answer = degraded.search(Need.read("zzyzx qwrtz"))
    assert (answer.total, answer.hits, answer.nearest) == (0, (), None)


def test_alternatives_and_comparison_take_a_need_by_its_words(
    degraded: Engine,
) -> None:
    need, graph = Need.read("images and pictures"), MatchGraph()
    found = Replacer(degraded).instead_of("kosmos-2", graph, need)
    assert found.need is not None and found.need.degraded
    assert found.found[0].artifact.slug == "sketcher"
    compared = Comparer(degraded).compare("kosmos-2", "sketcher", graph, today(), need)
    assert compared.need is not None and compared.need.degraded
    assert compared.a.answered is not None and compared.a.answered.capability


def test_suggestions_need_no_vector(degraded: Engine) -> None:
    assert degraded.suggest("kosm").completions[0].slug == "kosmos-2"


def test_nothing_is_measured_by_words_alone(degraded: Engine) -> None:
    with pytest.raises(EncoderError, match="no measure"):
        evaluate(degraded, {"1": "captions"}, {"1": {"kosmos-2": 1}})


def test_a_need_encoded_before_is_answered_in_full(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    need = Need.read("grounded captioning")
    before = engine.search(need)

    def refuses(self: TimelyEncoder, text: str) -> NDArray[np.float32]:
        raise EncoderError(HANGS)

    monkeypatch.setattr(TimelyEncoder, "encode_need", refuses)
    again = engine.search(need)
    assert again.need.degraded is None
    assert [each.score for each in again.hits] == [each.score for each in before.hits]
    assert engine.search(Need.read("draws pictures")).need.degraded == HANGS
