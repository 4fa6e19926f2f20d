"""The engine of the generation in use, following each switch."""

import logging
import threading
import time

from index.cluster import DRAIN_S, ShardCluster
from index.errors import EncoderError, EngineError
from index.generation import Generation
from index.home import Home
from search.engine import Engine
from search.history import History
from web.settings import Settings, open_engine, taught

LEARN_EVERY_S = 10.0
"""Seconds between two looks at what has come of the answers."""

logger = logging.getLogger(__name__)


class CurrentEngine:
    """Gives requests the engine in use; one under way keeps the one it began with."""

    def __init__(
        self,
        settings: Settings,
        history: History | None = None,
        look_every_s: float = 1.0,
        generation: Generation | None = None,
        cluster: ShardCluster | None = None,
    ) -> None:
        """Open the engine in use, taught by `history`; GenerationError if none is.

        It begins with `generation`, if that is open already. With a `cluster`, shards
        on it look for what may be meant; ClusterError if they cannot be had.
        A request looks for a switch when the last look is `look_every_s` ago.
        """
        self._look_every_s = look_every_s
        self._settings = settings
        self._home = Home(settings.home)
        self._lock = threading.Lock()
        self._following = threading.Lock()
        self._history = history
        self._cluster = cluster
        self._named = generation.id if generation else self._home.current()
        self._engine = self._open(generation)
        self._next_look = time.monotonic() + look_every_s

    def _open(self, generation: Generation | None = None) -> Engine:
        shards = self._cluster.shards if self._cluster else None
        engine = open_engine(self._settings, generation, shards)
        self._next_lesson = time.monotonic() + LEARN_EVERY_S
        if self._history:
            try:
                taught(engine, self._history, self._settings)
            except EncoderError as error:  # to be tried again at the next lesson
                logger.warning("nothing is learned from past needs: %s", error)
        return engine

    def __call__(self) -> Engine:
        """Return the engine of the generation in use, opened anew after a switch.

        A generation that cannot be opened is reported once and the old one kept. The
        old engine's files stay until the last request that holds it has ended.
        """
        if time.monotonic() < self._next_look or not self._lock.acquire(blocking=False):
            return self._engine
        try:
            self._next_look = time.monotonic() + self._look_every_s
            named = self._home.current()
            if named != self._named:
                self._named = named
                if self._cluster:  # shards take seconds to open: nobody waits for them
                    threading.Thread(target=self._follow, daemon=True).start()
                else:
                    self._follow()
            elif self._history and time.monotonic() >= self._next_lesson:
                self._next_lesson = time.monotonic() + LEARN_EVERY_S
                self._engine.ranker.memory.learn(self._history.graph())
        finally:
            self._lock.release()
        return self._engine

    def _follow(self) -> None:
        """Switch to the generation in use; on a cluster, the one before ends then."""
        with self._following:
            before = self._engine
            try:
                self._engine = self._open()
            except EngineError as error:
                logger.warning("still on %s: %s", before.generation.id, error)
                return
            logger.info("switched generation=%s", self._engine.generation.id)
            if self._cluster:
                time.sleep(DRAIN_S)
                self._cluster.leave(before.generation)
