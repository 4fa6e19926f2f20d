"""Ray clusters by their address: does one answer there, and joining it.

Ray is imported where a cluster is asked for, and never before a fork.
"""

import importlib.util
import signal
import socket
import threading
from typing import Any

from index.errors import ClusterError, SettingError

AUTO = "auto"
"""The address of the cluster that this machine belongs to."""

CONNECT_S = 5.0
"""Seconds that the head of a cluster has to accept a connection: Ray itself asks for
minutes."""


def check(address: str) -> None:
    """Raise SettingError without Ray, ClusterError if nobody is at the address."""
    if importlib.util.find_spec("ray") is None:
        message = "--ray needs Ray, which is not installed"
        raise SettingError(f"{message}; install it with: pip install 'instead[ray]'")
    if address == AUTO:
        return
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or "/" in host:
        message = f"--ray should be the head's HOST:PORT, not {address!r}"
        raise SettingError(f"{message}; `ray start` prints it, such as 10.0.0.1:6379")
    try:
        socket.create_connection((host, int(port)), CONNECT_S).close()
    except (OSError, OverflowError) as error:
        raise unreachable(address, error) from error


def join(address: str, **options: Any) -> Any:
    """Return Ray, this process having joined the cluster at a checked address.

    `options` are those of `ray.init`. Raises ClusterError if that cannot be.
    """
    import ray

    before = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(
            address=address, log_to_driver=False, configure_logging=False, **options
        )
    except Exception as error:  # of many kinds, none of them documented
        raise unreachable(address, error) from error
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, before)  # Ray's own would end a server at once
    return ray


def unreachable(address: str, error: Exception) -> ClusterError:
    """Return `error` as one that says what to do."""
    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    return ClusterError(
        f"the Ray cluster at {address} cannot be joined: {reason}; start it with `ray "
        "start --head`, and join this machine with `ray start --address=HOST:PORT`"
    )
