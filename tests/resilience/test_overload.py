"""Too much to do: some are answered, the others told when to come again, none hangs."""

import asyncio
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.resilience.server import Served, served
from tests.resilience.work import build_changed
from web.callers import RETRY_S
from web.gate import AT_ONCE

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="gunicorn needs fork; waitress has its own limits"
)

ENCODES_S = 0.1
SUSTAINED = AT_ONCE / ENCODES_S
"""Needs a second that a server answers whose encoder takes so long."""

OPEN = 1000
"""Connections that a flood has open at once: twice what the server takes. More of them
would fill the kernel's queue, and keep this process busy with itself."""

SEARCH = "/api/v1/search?q=grounded+captioning"
HEAD = f"GET {SEARCH} HTTP/1.1\r\nHost: localhost\r\n".encode()


@pytest.fixture(scope="module")
def running(shared: Path) -> Iterator[Served]:
    build_changed(shared, 0)
    with served(shared) as server:
        yield server


@pytest.fixture
def server(running: Served) -> Served:
    """A server that has done what the test before asked of it."""
    deadline = time.monotonic() + 20
    while running.get(SEARCH).status != 200:
        assert time.monotonic() < deadline
    return running


async def asked(port: int, number: int) -> tuple[str, bool]:
    """Return the status of an answer, and whether it says when to come again."""
    try:
        async with asyncio.timeout(20):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            need = f"GET {SEARCH}+{number} HTTP/1.1\r\nHost: localhost\r\n"
            writer.write(f"{need}Connection: close\r\n\r\n".encode())
            answer = (await reader.read()).decode()
            writer.close()
    except (OSError, TimeoutError) as error:
        return type(error).__name__, False
    problem = "application/problem+json" in answer
    return answer[9:12], problem and f"Retry-After: {RETRY_S}" in answer


async def flooded(port: int, rate: float, seconds: float) -> list[tuple[str, bool]]:
    """Return what becomes of `rate` searches a second, OPEN at once at most."""
    started = time.monotonic()
    asking: set[asyncio.Future[tuple[str, bool]]] = set()
    told: list[tuple[str, bool]] = []
    due = 0
    while (now := time.monotonic()) < started + seconds:
        before, due = due, int((now - started) * rate)
        for number in range(max(before, due - OPEN + len(asking)), due):
            asking.add(asyncio.ensure_future(asked(port, number)))
        await asyncio.sleep(0.01)
        done = {each for each in asking if each.done()}
        told += [each.result() for each in done]
        asking -= done
    return told + await asyncio.gather(*asking)


@pytest.mark.parametrize("seconds", [1, pytest.param(20, marks=pytest.mark.nightly)])
def test_fifty_times_what_can_be_answered_is_refused_and_passes(
    scratch: Path, seconds: int
) -> None:
    build_changed(scratch, 0)
    with served(scratch, ENCODES_S) as server:
        told = asyncio.run(flooded_and_probed(server, 50 * SUSTAINED, seconds))
        ended = time.monotonic()
        while (answer := server.get(f"{SEARCH}+after")).status != 200:
            assert answer.headers["Retry-After"] == str(RETRY_S)
        assert time.monotonic() - ended < 2
    came = Counter(status for status, _ in told)
    assert set(came) <= {"200", "503"}
    assert came["503"] > came["200"] > SUSTAINED * seconds / 4
    assert all(retry for status, retry in told if status == "503")


async def flooded_and_probed(
    server: Served, rate: float, seconds: float
) -> list[tuple[str, bool]]:
    """Flood a server, and look all the while whether it says that it lives."""
    flood = asyncio.ensure_future(flooded(server.port, rate, seconds))
    while not flood.done():
        assert (await asyncio.to_thread(server.get, "/healthz")).status == 200
        await asyncio.sleep(0.1)
    return await flood


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(HEAD, id="half a head"),
        pytest.param(HEAD + b"Content-Length: 999\r\n\r\n{", id="half a body"),
    ],
)
def test_clients_that_send_slowly_keep_nobody_waiting(
    server: Served, sent: bytes
) -> None:
    with ExitStack() as stack:
        slow = [stack.enter_context(server.connect()) for _ in range(200)]
        for each in slow:
            each.sendall(sent)
        for _ in range(5):
            assert server.get("/healthz", wait_s=2).status == 200
            assert server.get(SEARCH, wait_s=2).status == 200
            if sent:
                for each in slow:
                    each.sendall(b"X: y\r\n"[: len(sent)])


def test_a_request_that_comes_in_parts_is_answered(server: Served) -> None:
    with server.connect() as slow:
        for part in (HEAD, b"X-Part: 1\r\n", b"Connection: close\r\n", b"\r\n"):
            slow.sendall(part)
            time.sleep(0.05)
        assert slow.recv(12) == b"HTTP/1.1 200"


def test_requests_sent_ahead_are_all_answered(server: Served) -> None:
    ahead = HEAD + b"\r\n" + HEAD + b"\r\n" + HEAD + b"Connection: close\r\n\r\n"
    with server.connect() as client:
        client.sendall(ahead)
        answer = b""
        while part := client.recv(65536):
            answer += part
    assert answer.count(b"HTTP/1.1 200 OK") == 3


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(HEAD + b"X: " + b"y" * 100_000 + b"\r\n\r\n", id="a long field"),
        pytest.param(HEAD + b"X: y\r\n" * 1000 + b"\r\n", id="many fields"),
        pytest.param(
            b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\n\r\n", id="a long line"
        ),
        pytest.param(b"\x00\xff" * 50_000, id="noise"),
        pytest.param(HEAD + b"Content-Length: 1e9\r\n\r\n", id="no length"),
        pytest.param(
            HEAD + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            id="two lengths",
        ),
    ],
)
def test_a_faulty_request_is_refused_and_hurts_nobody(
    server: Served, sent: bytes
) -> None:
    with server.connect() as faulty:
        try:
            faulty.sendall(sent)
            answer = faulty.recv(12)
        except ConnectionError:
            answer = b""  # it was told so already, and the rest was not read
    assert answer[:9] in (b"", b"HTTP/1.1 ") and answer[9:10] in (b"", b"4")
    assert server.get(SEARCH, wait_s=2).status == 200


def test_an_answer_that_is_not_taken_keeps_nobody_waiting(server: Served) -> None:
    with ExitStack() as stack:
        for _ in range(50):
            client = stack.enter_context(server.connect())
            client.sendall((HEAD + b"\r\n") * 200)
        for _ in range(5):
            assert server.get("/healthz", wait_s=5).status == 200
