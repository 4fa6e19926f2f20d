"""The encoder within a deadline: no need waits longer than that for its vector."""

import logging
import threading
import time
import weakref
from collections.abc import Callable
from queue import Empty, SimpleQueue

import numpy as np
from numpy.typing import NDArray

from index.encoder import NeedEncoder
from index.errors import EncoderError

DEADLINE_S = 1.0
"""Seconds that a need waits for its vector: encoding takes milliseconds, on a crowded
machine a hundred of them, and who waits longer would rather have what words find."""

RETRY_S = 5.0
"""Seconds after which an encoder that hung or failed is tried again, by one need."""

HUNG = 8
"""Calls that may hang at once, each in a thread that cannot be ended: with more of them
nothing is tried until one comes back."""

HANGS = f"the encoder did not answer within {DEADLINE_S:g} s"
FAILS = "the encoder is not available; the log says why"

Vector = NDArray[np.float32]

logger = logging.getLogger(__name__)


class MissingEncoder:
    """Stands for an encoder that cannot be had: it knows no need and every word."""

    def __init__(self, reason: EncoderError) -> None:
        """Refuse each need for `reason`."""
        self._reason = reason

    def encode_need(self, text: str) -> Vector:
        """Raise the reason."""
        raise self._reason

    def is_word(self, text: str) -> bool:
        """Return True: what cannot be looked up is not taken for misspelt."""
        return True


class TimelyEncoder:
    """An encoder that gives a need's vector within a deadline, or refuses.

    Each call runs in a thread of its own, which is left behind if it hangs. After a
    call that hung or failed all are refused at once, but for one every `RETRY_S`.
    """

    def __init__(self, encoder: NeedEncoder, deadline_s: float = DEADLINE_S) -> None:
        """Ask `encoder`, and wait `deadline_s` for it at most."""
        self._encoder = encoder
        self._deadline_s = deadline_s
        self._lock = threading.Lock()
        self._idle: list[_Worker] = []
        self._hung: list[_Worker] = []
        self._why: str | None = None
        self._retry_at = 0.0
        weakref.finalize(self, _dismiss, self._idle)

    def encode_need(self, text: str) -> Vector:
        """Return the unit vector of a need; EncoderError if none is there in time."""
        worker = self._worker()
        try:
            vector = worker.ask(text, self._deadline_s)
        except Empty:
            worker.dismiss()
            with self._lock:
                self._hung.append(worker)
            raise self._refused(HANGS, f"not within {self._deadline_s:g} s") from None
        except Exception as error:  # whatever its libraries make of a fault
            self._release(worker)
            raise self._refused(FAILS, str(error)) from error
        self._release(worker)
        with self._lock:
            if self._why is not None:
                self._why = None
                logger.warning("the encoder answers again")
        return vector

    def is_word(self, text: str) -> bool:
        """Return whether `text` is a word; of a tokenizer that fails every one is."""
        try:
            return self._encoder.is_word(text)
        except Exception:  # as above; what it does is no reason to hang, unlike a model
            return True

    def _worker(self) -> "_Worker":
        """Return who is to be asked; EncoderError if it is too early to ask again."""
        with self._lock:
            if self._why is not None:
                self._hung = [each for each in self._hung if each.is_alive()]
                if time.monotonic() < self._retry_at or len(self._hung) >= HUNG:
                    raise EncoderError(self._why)
                self._retry_at = time.monotonic() + RETRY_S + self._deadline_s
            return self._idle.pop() if self._idle else _Worker(self._encoder)

    def _release(self, worker: "_Worker") -> None:
        with self._lock:
            self._idle.append(worker)

    def _refused(self, why: str, reason: str) -> EncoderError:
        with self._lock:
            if self._why is None:
                logger.warning("needs are answered by words alone: encoder: %s", reason)
            self._why = why
            self._retry_at = time.monotonic() + RETRY_S
        return EncoderError(why)


class _Worker:
    """A thread that encodes what it is asked, one need after the other."""

    def __init__(self, encoder: NeedEncoder) -> None:
        self._asked: SimpleQueue[str | None] = SimpleQueue()
        self._told: SimpleQueue[Vector | Exception] = SimpleQueue()
        # A daemon, for a thread that hangs must not keep the process from its end.
        self._thread = threading.Thread(
            target=_work,
            args=(encoder.encode_need, self._asked, self._told),
            name="encoder",
            daemon=True,
        )
        self._thread.start()

    def ask(self, text: str, timeout: float) -> Vector:
        """Return the vector; raises what the encoder does, and Empty if too late."""
        self._asked.put(text)
        told = self._told.get(timeout=timeout)
        if isinstance(told, Exception):
            raise told
        return told

    def dismiss(self) -> None:
        """Let the thread end once it is done."""
        self._asked.put(None)

    def is_alive(self) -> bool:
        """Return whether the thread has not ended."""
        return self._thread.is_alive()


def _dismiss(workers: list[_Worker]) -> None:
    for each in workers:
        each.dismiss()


def _work(
    encode: Callable[[str], Vector],
    asked: "SimpleQueue[str | None]",
    told: "SimpleQueue[Vector | Exception]",
) -> None:
    while (text := asked.get()) is not None:
        try:
            told.put(encode(text))
        except Exception as error:  # for the thread that waits
            told.put(error)
