"""A disk that fails: the kernel asks about each operation of a process on its files.

A process that is `watched` runs under a seccomp filter that hands every system call
which changes files to this one, which lets it go on, refuses it with an error of the
operating system, or kills the process before it. So it does not matter whether Python,
SQLite, FAISS or numpy writes. Linux alone has it.
"""

import ctypes
import errno
import fcntl
import os
import platform
import select
import signal
import socket
import struct
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.resilience.processes import begun, pipe

_CALLS = {
    "x86_64": {
        1: "write", 18: "pwrite", 20: "writev", 296: "pwritev", 40: "sendfile",
        326: "copy_file_range", 285: "fallocate", 77: "ftruncate", 74: "fsync",
        75: "fdatasync", 2: "open", 257: "openat", 82: "rename", 264: "renameat",
        316: "renameat2", 83: "mkdir", 258: "mkdirat", 84: "rmdir", 87: "unlink",
        263: "unlinkat",
    },
    "aarch64": {
        64: "write", 68: "pwrite", 66: "writev", 70: "pwritev", 71: "sendfile",
        285: "copy_file_range", 47: "fallocate", 46: "ftruncate", 82: "fsync",
        83: "fdatasync", 56: "openat", 38: "renameat", 276: "renameat2",
        34: "mkdirat", 35: "unlinkat",
    },
}  # fmt: skip
"""The numbers of the system calls that change files, by machine."""

_SECCOMP = {"x86_64": 317, "aarch64": 277}
_NAMES = _CALLS.get(platform.machine(), {})

_NOTIFICATION = struct.Struct("=QIIiIQ6Q")
_RESPONSE = struct.Struct("=QqiI")
_RECEIVE, _SEND = 0xC0502100, 0xC0182101
_GO_ON = 1

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class Operation(NamedTuple):
    """One that changes a file or folder: its number from 1, what it is, and where."""

    number: int
    name: str
    path: Path


KILL = -1
"""The verdict that ends the process before the operation."""

Verdict = Callable[[Operation], int | None]
"""KILL, the errno that an operation ends with, or None to let it go on."""


def possible() -> bool:
    """Return whether a process can be watched here."""
    if sys.platform != "linux" or not _NAMES:
        return False
    try:
        actions = Path("/proc/sys/kernel/seccomp/actions_avail").read_text()
    except OSError:
        return False
    return "user_notif" in actions.split()


NEEDED = pytest.mark.skipif(
    not possible(), reason="the kernel lets nobody watch a process here"
)
"""Of a test that watches a process."""


def fails_once(number: int, code: int) -> Verdict:
    """Refuse operation `number` alone."""
    return lambda operation: code if operation.number == number else None


def fails_from(number: int, code: int = errno.ENOSPC) -> Verdict:
    """Refuse what needs room from operation `number` on: the disk is full."""
    free = {"unlink", "unlinkat", "rmdir", "rename", "renameat", "renameat2"}
    return lambda operation: (
        code if operation.number >= number and operation.name not in free else None
    )


def dies_before(number: int) -> Verdict:
    """Kill the process when it asks for operation `number`."""
    return lambda operation: KILL if operation.number == number else None


def watched(
    folder: Path, verdict: Verdict, work: Callable[..., Any], *given: Any
) -> tuple[Any, list[Operation]]:
    """Return what `work` returned, and its operations on files under `folder`.

    None if the process was killed.
    """
    ours, theirs = socket.socketpair()
    reading, writing = pipe()
    with (
        closing(ours),
        closing(reading),
        begun(_under_watch, theirs, writing, work, given) as process,
    ):
        theirs.close()
        writing.close()
        _, (listener, *_), *_ = socket.recv_fds(ours, 1, 1)
        operations: list[Operation] = []
        watch = threading.Thread(
            target=_judge, args=(listener, folder, verdict, operations)
        )
        watch.start()
        try:
            result = reading.recv()
        except EOFError:
            result = None
        process.join()
        watch.join()
        os.close(listener)
    return result, operations


def _under_watch(
    channel: socket.socket,
    results: Any,
    work: Callable[..., Any],
    given: tuple[Any, ...],
) -> None:
    with closing(channel):
        socket.send_fds(channel, [b"x"], [_listener()])
    result = work(*given)
    results.send(result)


class _Filter(ctypes.Structure):
    _fields_ = (
        ("code", ctypes.c_uint16),
        ("true", ctypes.c_uint8),
        ("false", ctypes.c_uint8),
        ("k", ctypes.c_uint32),
    )


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_uint16), ("filter", ctypes.POINTER(_Filter)))


_LOAD, _EQUAL, _ANY_BIT, _RETURN = 0x20, 0x15, 0x45, 0x06
_ALLOW, _ASK = 0x7FFF0000, 0x7FC00000
_NUMBER_AT, _ARGUMENTS_AT, _ARGUMENT = 0, 16, 8


def _listener() -> int:
    """Return what is asked from now on about the calls of this process."""
    lines = [(_LOAD, 0, 0, _NUMBER_AT)]
    for number, name in _NAMES.items():
        if name in ("open", "openat"):
            flags = _ARGUMENTS_AT + _ARGUMENT * (1 if name == "open" else 2)
            lines += [
                (_EQUAL, 0, 4, number),
                (_LOAD, 0, 0, flags),
                (_ANY_BIT, 0, 1, WRITING),
                (_RETURN, 0, 0, _ASK),
                (_RETURN, 0, 0, _ALLOW),
            ]
        else:
            lines += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ASK)]
    lines.append((_RETURN, 0, 0, _ALLOW))
    program = _Program(
        len(lines), (_Filter * len(lines))(*(_Filter(*line) for line in lines))
    )
    libc = ctypes.CDLL(None, use_errno=True)
    no_new_privileges, set_filter, new_listener = 38, 1, 8
    libc.prctl(no_new_privileges, 1, 0, 0, 0)
    call = _SECCOMP[platform.machine()]
    listener: int = libc.syscall(call, set_filter, new_listener, ctypes.byref(program))
    if listener < 0:
        raise OSError(ctypes.get_errno(), "seccomp gives no listener")
    return listener


def _judge(
    listener: int, folder: Path, verdict: Verdict, operations: list[Operation]
) -> None:
    """Answer what the kernel asks until the process has ended."""
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    while True:
        [(_, events)] = poll.poll()
        if not events & select.POLLIN:
            return
        asked = bytearray(_NOTIFICATION.size)
        try:
            fcntl.ioctl(listener, _RECEIVE, asked)
        except FileNotFoundError:  # the process died while it asked
            continue
        id_, pid, _, number, _, _, *arguments = _NOTIFICATION.unpack(asked)
        code: int | None = None
        where = _place(pid, _NAMES[number], arguments)
        if where and where.is_relative_to(folder):
            operation = Operation(len(operations) + 1, _NAMES[number], where)
            operations.append(operation)
            code = verdict(operation)
        if code == KILL:
            os.kill(pid, signal.SIGKILL)
            code = errno.EIO
        answer = (
            _RESPONSE.pack(id_, 0, 0, _GO_ON)
            if code is None
            else _RESPONSE.pack(id_, 0, -code, 0)
        )
        try:
            fcntl.ioctl(listener, _SEND, answer)
        except FileNotFoundError:
            continue


def _place(pid: int, name: str, arguments: list[int]) -> Path | None:
    """Return the file or folder that a call is about, None if it is none."""
    by_name = {"open": 0, "rename": 0, "mkdir": 0, "rmdir": 0, "unlink": 0}
    try:
        if name.endswith(("at", "at2")):
            at = arguments[0] & 0xFFFFFFFF
            base = "cwd" if at == 0xFFFFFF9C else f"fd/{at}"  # AT_FDCWD
            text = _text(pid, arguments[1])
            return Path(f"/proc/{pid}/{base}").readlink() / text
        if name in by_name:
            return Path(_text(pid, arguments[0]))
        first = {"copy_file_range": 2}.get(name, 0)
        return Path(f"/proc/{pid}/fd/{arguments[first]}").readlink()
    except OSError:
        return None


def _text(pid: int, address: int) -> str:
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        memory.seek(address)
        content = memory.read(4096)
    return os.fsdecode(content.partition(b"\0")[0])
