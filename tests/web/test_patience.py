"""What is answered outside of the application."""

import json
import logging
import socket
import sys

import pytest

if sys.platform == "win32":
    pytest.skip("gunicorn needs fork", allow_module_level=True)

from gunicorn.http.errors import InvalidHeader, LimitRequestLine

from web.patience import PatientWorker

ADDRESS = ("192.0.2.1", 4711)


@pytest.fixture
def worker() -> PatientWorker:
    worker = PatientWorker.__new__(PatientWorker)  # no server is started
    worker.log = logging.getLogger("gunicorn.error")
    return worker


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (LimitRequestLine(9000, 8190), 414),
        (InvalidHeader("secret"), 400),
        (RuntimeError("out of order"), 500),
    ],
)
def test_a_fault_is_a_problem_of_its_own_kind(
    worker: PatientWorker,
    fault: Exception,
    status: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    here, there = socket.socketpair()
    with here, there, caplog.at_level(logging.INFO):
        worker.handle_error(None, here, ADDRESS, fault)
        answer = there.recv(4096).decode()
    head, _, body = answer.partition("\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ")
    assert json.loads(body)["status"] == status
    assert ADDRESS[0] not in answer + caplog.text
    assert "secret" not in answer + caplog.text
    assert ("out of order" in caplog.text) == (status == 500)
    assert "out of order" not in answer


def test_who_went_away_is_not_missed(worker: PatientWorker) -> None:
    here, there = socket.socketpair()
    there.close()
    here.close()
    worker.handle_error(None, here, ADDRESS, InvalidHeader("x"))
