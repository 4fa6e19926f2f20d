import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from web.gate import Gate


def test_as_many_as_there_is_room_for_go_in_and_no_more() -> None:
    gate = Gate(at_once=2, waiting=0)
    assert [gate.enter() for _ in range(3)] == [True, True, False]
    gate.leave()
    assert [gate.enter() for _ in range(2)] == [True, False]


def test_who_waits_goes_in_when_another_leaves() -> None:
    gate = Gate(at_once=1, waiting=1, wait_s=10)
    assert gate.enter()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(gate.enter)
        assert not waiting.done()
        gate.leave()
        assert waiting.result()


def test_who_waits_too_long_is_refused() -> None:
    gate = Gate(at_once=1, waiting=1, wait_s=0.01)
    assert gate.enter()
    assert not gate.enter()
    gate.leave()
    assert gate.enter()


def test_never_more_are_inside_than_may_be() -> None:
    gate = Gate(at_once=3, waiting=100, wait_s=10)
    inside, most, lock = 0, 0, threading.Lock()

    def visit(_: int) -> None:
        nonlocal inside, most
        assert gate.enter()
        with lock:
            inside += 1
            most = max(most, inside)
        with lock:
            inside -= 1
        gate.leave()

    with ThreadPoolExecutor(16) as pool:
        [*pool.map(visit, range(500))]
    assert most <= 3
    assert [gate.enter() for _ in range(3)] == [True] * 3


@pytest.mark.parametrize(
    ("seen", "whole"),
    [
        (b"", False),
        (b"GET / HTTP/1.1\r\nHost: x\r\n", False),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", True),
        (b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nab", False),
        (b"POST / HTTP/1.1\r\ncontent-length:3 \r\nA: b\r\n\r\nabc", True),
        (b"POST / HTTP/1.1\r\nContent-Length: 999999\r\n\r\n" + b"a" * 40_000, True),
        (b"GET /" + b"a" * 40_000, True),
    ],
)
def test_a_request_has_arrived_when_its_head_and_body_have(
    seen: bytes, whole: bool
) -> None:
    patience = pytest.importorskip("web.patience", exc_type=ImportError)
    assert patience.arrived(seen) is whole
