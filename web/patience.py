"""Gunicorn's worker with threads, none of which waits for a client.

By itself it gives every connection to a thread, which then waits for what the client
sends: a few clients that send slowly, or nothing, keep all threads. Here a connection
stays with the poller until its request has arrived.
"""

import re
import socket
import time
import uuid
from functools import partial
from http import HTTPStatus
from selectors import EVENT_READ
from typing import Any

from gunicorn import util
from gunicorn.workers.gthread import TConn, ThreadWorker

from web import access
from web.refusal import NoRoomError, refused

PEEKED = 32 * 1024
"""Bytes of a request that are waited for; a longer one is read by a thread."""

PATIENCE_S = 10.0
"""Seconds that a request may take to arrive, and those that a thread may be kept by a
longer one, or by a client that does not take its answer."""

AT_A_TIME = 64
"""Connections taken at most before those are looked after that are there."""

LOOK_EVERY_S = 0.1
"""Seconds between two looks for connections whose time is over."""

SUPERVISORS = re.compile(rb"(?:GET|HEAD) /(?:healthz|readyz|metrics)[ ?]")
"""How the requests begin that are never refused for want of room."""

_LENGTH = re.compile(rb"(?i)\r\ncontent-length:[ \t]*([0-9]{1,9})[ \t]*(?=\r\n|\Z)")


def arrived(seen: bytes) -> bool:
    """Return whether `seen` is a whole request, or as much as is waited for."""
    head, end, body = seen.partition(b"\r\n\r\n")
    if not end:
        return len(seen) >= PEEKED
    length = _LENGTH.search(head)
    return len(seen) >= PEEKED or len(body) >= int(length[1] if length else 0)


class PatientWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn is untyped
    """Gives a connection to a thread as soon as its request is there."""

    def __init__(self, *given: Any, **named: Any) -> None:
        """Take what gunicorn gives."""
        super().__init__(*given, **named)
        self._since: dict[TConn, float] = {}
        self._seen: dict[TConn, int] = {}
        self._taken = 0
        self._next_look = 0.0

    def accept(self, listener: socket.socket) -> None:
        """Take the connections that wait: in a flood they are hundreds."""
        for _ in range(AT_A_TIME):
            taken = self._taken
            super().accept(listener)
            if self._taken == taken or self.nr_conns >= self.worker_connections:
                return

    def enqueue_req(self, conn: TConn) -> None:
        """Give `conn` to a thread if its request has arrived, else to the poller."""
        self._taken += 1
        now = time.monotonic()
        since = self._since.setdefault(conn, now)
        # A client that does not wait for answers may have sent the next request.
        ahead = conn.parser and conn.parser.unreader.buf.getvalue()
        seen = None if ahead else self._peek(conn)
        if seen is None or arrived(seen) or len(seen) == self._seen.get(conn):
            # Whole, or nothing more will come: a thread answers or closes it.
            self._seen.pop(conn, None)
            if seen and self._is_full() and not SUPERVISORS.match(seen):
                self._refuse(conn, len(seen))
                return
            self._since[conn] = now
            conn.data_ready = True
            self._wants(conn, 1)
            super().enqueue_req(conn)
            return
        self._seen[conn] = len(seen)
        self._wants(conn, len(seen) + 1)
        conn.sock.setblocking(False)
        # What sends nothing is let go soon, and what has begun may go on for a while.
        conn.timeout = since + PATIENCE_S if seen else now + self.cfg.keepalive
        self.pending_conns.append(conn)
        readable = partial(self.on_pending_socket_readable, conn)
        self.poller.register(conn.sock, EVENT_READ, readable)

    def _is_full(self) -> bool:
        """Return whether more requests are with threads than there are threads."""
        return len(self._since) - len(self._seen) > int(self.cfg.threads)

    def _refuse(self, conn: TConn, size: int) -> None:
        """Answer a request that there is no room for, for a tenth of its cost.

        Of a flood, the application would refuse a few hundred a second: the others
        would keep supervisors waiting.
        """
        id_ = uuid.uuid4().hex
        code, response = refused(NoRoomError(), id_)
        access.line(None, None, code, 0.0, id_)
        try:
            conn.sock.setblocking(False)
            conn.sock.recv(size)  # what was not read would take the answer along
            conn.sock.send(response)
        except OSError:
            self.log.debug("who asked went away")
        self._since.pop(conn, None)
        self.nr_conns -= 1
        conn.close()

    @staticmethod
    def _peek(conn: TConn) -> bytes | None:
        """Return what has come, b"" if nothing yet, None if nothing ever will."""
        try:
            return conn.sock.recv(PEEKED, socket.MSG_PEEK | socket.MSG_DONTWAIT) or None
        except BlockingIOError:
            return b""
        except OSError:
            return None

    @staticmethod
    def _wants(conn: TConn, count: int) -> None:
        """Let the poller tell of `conn` when it has `count` bytes, or has ended."""
        conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, count)

    def finish_request(self, conn: TConn, done: Any) -> None:
        """Take `conn` back from a thread."""
        self._since.pop(conn, None)
        super().finish_request(conn, done)

    def murder_pending(self) -> None:
        """Close connections whose time is over, also those that keep a thread."""
        now = time.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + LOOK_EVERY_S
        for conn in [*self.pending_conns]:
            if conn.timeout <= now:
                self.pending_conns.remove(conn)
                self.poller.unregister(conn.sock)
                self._since.pop(conn, None)
                self._seen.pop(conn, None)
                self.nr_conns -= 1
                conn.close()
        for conn, since in [*self._since.items()]:
            if conn not in self._seen and since + PATIENCE_S <= now:
                self._let_go(conn)

    @staticmethod
    def _let_go(conn: TConn) -> None:
        """End a connection that a thread reads or writes; the thread sees it ended."""
        try:
            conn.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            return

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Exception) -> None:
        """Answer what cannot be read, or a fault outside of the application."""
        id_ = uuid.uuid4().hex
        code, response = refused(exc, id_)
        if code == HTTPStatus.INTERNAL_SERVER_ERROR:
            self.log.error("fault request=%s", id_, exc_info=exc)
        access.line(None, None, code, 0.0, id_)
        try:
            util.write_nonblock(client, response)
        except OSError:
            self.log.debug("who asked went away")
