"""The server that runs the application until it is told to stop."""

import logging
import os
import socket
import sys
from collections.abc import Callable
from typing import Any

from flask import Flask

THREADS = 32
"""One process holds one copy of index and model; encoder and FAISS release the GIL. The
gate lets a few threads work; the others wait for that, refuse, or tell supervisors."""

CONNECTIONS = 500
"""Open connections at most, or half of the files that the process may open."""

MAX_FIELDS = 50
"""Header fields of a request; browsers send about fifteen."""

MAX_ADDRESS = 8190
"""Bytes of a request's first line; a need of 500 signs may take 6,000."""


def claim(host: str, port: int) -> None:
    """Raise OSError, which names the address and the way out, if it cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        reason = (error.strerror or str(error)).split(" (")[0]
        message = f"{reason}; choose another with --host or --port"
        raise OSError(error.errno, message, f"{host}:{port}") from error


def run(
    make: Callable[[], Flask], host: str, port: int, close: Callable[[], None]
) -> None:
    """Serve on `host` and `port`: gunicorn, or waitress where a process cannot fork.

    `make` and `close` are called where the requests are answered, at both ends.
    """
    if sys.platform == "win32":
        from waitress import serve

        serve(make(), host=host, port=port, threads=THREADS)
        return
    import resource

    from gunicorn.app.base import BaseApplication

    from web.patience import PatientWorker

    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)

    def ended(_: Any, worker: Any) -> None:
        """End a worker that has served, once all is written.

        ONNX Runtime starts threads when it is imported, which a fork does not have: to
        let them go when the interpreter ends would end it by SIGABRT.
        """
        if worker.booted:
            close()
            logging.shutdown()
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(0)

    class Server(BaseApplication):  # type: ignore[misc]  # gunicorn is untyped
        def load_config(self) -> None:
            options: dict[str, Any] = {
                "bind": f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
                "workers": 1,
                "threads": THREADS,
                "worker_class": PatientWorker,
                "worker_connections": min(CONNECTIONS, files // 2),
                "loglevel": "warning",
                "timeout": 60,
                "graceful_timeout": 10,
                "limit_request_line": MAX_ADDRESS,
                "limit_request_fields": MAX_FIELDS,
                "control_socket_disable": True,
            }
            options["worker_exit"] = ended
            for name, value in options.items():
                if name in self.cfg.settings:  # older versions have no control socket
                    self.cfg.set(name, value)

        def load(self) -> Flask:
            return make()

    Server().run()
