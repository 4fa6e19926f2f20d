"""Who calls, and how often may they? By key, else by address, never written down."""

import math
import threading
import time
from collections import OrderedDict
from ipaddress import IPv6Address, ip_address

from flask import Request
from werkzeug.exceptions import TooManyRequests

from index.errors import UnknownKeyError
from search.graph import BURST
from web.keys import Keys

MINUTE = 60.0

UNCOUNTED = ("probes", "metrics")
"""Blueprints that may be asked at any rate: those that supervisors ask."""

RETRY_S = 1
"""Seconds after which one should come again that there was no room for."""

REMEMBERED = 10_000
"""Callers remembered at most; of more, those that have been away longest are not."""


TYPED = 0.1
"""What a need counts that is the one before typed further: who types for a minute asks
some two hundred times, the pauses of the page's script kept."""

Typing = tuple[str | None, str]
"""What is asked, by endpoint, and a need that may not be typed to its end."""


class Rates:
    """How often each caller came lately."""

    def __init__(self, remembered: int = REMEMBERED) -> None:
        """Remember so many callers at most."""
        self._remembered = remembered
        self._free_at: OrderedDict[str, float] = OrderedDict()
        self._typed: dict[str, dict[str | None, tuple[str, float]]] = {}
        self._lock = threading.Lock()

    def wait(
        self, caller: str, rate: int, now: float, typing: Typing = (None, "")
    ) -> float:
        """Return the seconds until `caller` may come again, 0 if it may come `now`.

        A caller may come `rate` times at once, and has that many again a minute later;
        each time it comes is worth an equal part of a minute. One burst of typing is
        one need: if `typing` goes on with what the caller asked last, it counts TYPED.
        """
        part = MINUTE / rate
        endpoint, need = typing
        with self._lock:
            own = self._typed.setdefault(caller, {}) if need else {}
            before, at = own.get(endpoint, ("", 0.0))
            own[endpoint] = need, now
            if now - at < BURST.total_seconds() and _typed_on(before, need):
                part *= TYPED
            free_at = max(self._free_at.pop(caller, now), now)
            late = free_at - now - (MINUTE - part)
            self._free_at[caller] = free_at if late > 0 else free_at + part
            if len(self._free_at) > self._remembered:
                gone, _ = self._free_at.popitem(last=False)
                self._typed.pop(gone, None)
        return max(0.0, late)


def _typed_on(before: str, need: str) -> bool:
    """Return whether one is the beginning of the other; the same again is no typing."""
    grown = need.startswith(before) or before.startswith(need)
    return bool(before and need) and before != need and grown


class Callers:
    """Admits callers as often as they may come."""

    def __init__(self, keys: Keys | None, rate: int = 0, keyed_rate: int = 0) -> None:
        """Let those without a key come `rate` times a minute, 0 for any number."""
        self._keys = keys
        self._rate = rate
        self._keyed_rate = keyed_rate
        self._rates = Rates()

    def admit(self, request: Request) -> str | None:
        """Return the name of the key that the request carries, None if it has none.

        Raises UnknownKeyError, and TooManyRequests if the caller came too often.
        """
        key = _key(request)
        typing = request.endpoint, request.args.get("q", "").strip()
        if key is None:
            self._count(_address(request), self._rate, typing)
            return None
        try:
            if self._keys is None:
                raise UnknownKeyError("there are no keys here; send none")
            name = self._keys.name(key)
        except UnknownKeyError:
            self._count(_address(request), self._rate)
            raise
        self._count(f"key {name}", self._keyed_rate, typing)
        return name

    def _count(self, caller: str, rate: int, typing: Typing = (None, "")) -> None:
        if not rate:
            return
        wait = self._rates.wait(caller, rate, time.monotonic(), typing)
        if wait > 0:
            seconds = math.ceil(wait)
            message = f"more than {rate} requests a minute; come again in {seconds} s"
            raise TooManyRequests(message, retry_after=seconds)


def _key(request: Request) -> str | None:
    if own := request.headers.get("X-Api-Key"):
        return own
    kind, _, key = request.headers.get("Authorization", "").partition(" ")
    return key.strip() if kind.casefold() == "bearer" else None


def _address(request: Request) -> str:
    """Return the caller's address; of IPv6 the half that a whole household shares."""
    text = request.remote_addr or ""
    try:
        address = ip_address(text)
    except ValueError:
        return text
    if isinstance(address, IPv6Address) and address.ipv4_mapped is None:
        return address.exploded[:19]
    return text
