"""The follower: which generation does the store name, and is it here? Pulled if not."""

import logging
import threading

from index.builder import Progress, silent
from index.errors import EngineError
from index.home import Home, storage_error
from web.settings import Settings, open_store

LOOK_EVERY_S = 10.0
"""Seconds between two looks at what the store names."""

logger = logging.getLogger(__name__)


class Follower:
    """Keeps a home at the generation that a store names; who serves it then switches.

    While the store is away, or gives what is damaged, the home stays as it is. `away`
    is the error of the last look then, else None.
    """

    def __init__(self, settings: Settings, look_every_s: float | None = None) -> None:
        """Follow the store that is set; SettingError if there is none."""
        self._settings = settings
        self._store = open_store(settings)
        self._home = Home(settings.home)
        self._look_every_s = LOOK_EVERY_S if look_every_s is None else look_every_s
        self._over = threading.Event()
        # A daemon, for a store that hangs must not keep the process from its end.
        self._thread = threading.Thread(
            target=self._follow, name="follower", daemon=True
        )
        self.away: EngineError | None = None
        self._said: str | None = None

    def look(self, progress: Progress = silent) -> EngineError | None:
        """Pull what the store names, if it is not in use; return what kept from it."""
        try:
            if not self._store.is_used(self._home):
                moved = self._store.pull(self._home, progress=progress)
                logger.info("pulled generation=%s", moved.manifest.id)
        except EngineError as error:
            self.away = error
        except OSError as error:
            self.away = storage_error(self._home.path, error)
        else:
            self.away = None
        return self.away

    def start(self) -> None:
        """Look every few seconds from now on, in a thread of its own."""
        self._store = open_store(self._settings)  # no connection outlives a fork
        self._say()
        self._thread.start()

    def close(self) -> None:
        """Look no more; a pull that is under way is left behind, and does no harm."""
        self._over.set()

    def _follow(self) -> None:
        while not self._over.wait(self._look_every_s):
            self.look()
            self._say()

    def _say(self) -> None:
        """Log what keeps from following, once, and that nothing does any more."""
        now = str(self.away) if self.away else None
        if now and now != self._said:
            logger.warning("%s; serving what is here meanwhile", now)
        elif self._said and not now:
            logger.warning("the store %s is there again", self._store.url)
        self._said = now
