"""Settings, read once from the environment and the command line, and what they open."""

import hashlib
import logging
import os
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.resources import files
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

from platformdirs import user_data_path

from index.builder import Progress, build, silent, unlearn
from index.encoder import Encoder, NeedEncoder
from index.errors import EncoderError, MismatchError, SettingError
from index.events import EventLog
from index.generation import Generation, Manifest
from index.home import Home
from index.model import find
from index.source import read
from index.workers import HERE, Processes, Workers
from search.deadline import MissingEncoder
from search.engine import Engine
from search.history import History
from search.scatter import Shards

if TYPE_CHECKING:
    from index.store import Store

logger = logging.getLogger(__name__)

RATE, KEYED_RATE = 60, 300
"""Requests a minute of one caller, without and with a key, where others reach us."""

MANY, PROCESSES = 20_000, 8
"""Capabilities from which on a build takes several processes, which need some seconds
to begin; and how many at most, since each may take 0.7 GB."""

VECTORS = "past-needs-"
"""How the files begin that keep the vectors of past needs, by encoder."""

GRAPH = "graph-"
"""How the files begin that keep the match graph, by log."""


@dataclass(frozen=True)
class Settings:
    """Where the indexes live, and which model encodes.

    `encoder` is a setting that `find` turns into an encoder: a folder, a name on the
    hub with its revision, or None for the default model. `events` is the SQLAlchemy
    URL of the event log, None for the SQLite file in the home. `explore` is the share
    of needs, in [0, 1], whose tenth hit is one from further down.

    `rate` and `keyed_rate` are how many requests a minute each caller may make without
    and with a key, 0 for any number, None for any number on a loopback address and
    the defaults elsewhere. `origins` are those whose pages may ask, `proxies` how many
    stand before the server and say who asks. `store` is where generations are shared,
    a folder or an address such as s3://bucket/prefix, None for nowhere.
    """

    home: Path
    encoder: str | None = None
    find: Callable[[str | None], Encoder] = find
    events: str | None = None
    explore: float = 0.0
    rate: int | None = None
    keyed_rate: int | None = None
    origins: tuple[str, ...] = ()
    proxies: int = 0
    store: str | None = None

    @classmethod
    def read(cls, environ: Mapping[str, str] = os.environ) -> "Settings":
        """Return the settings that the INSTEAD_... variables make.

        Raises SettingError for a value that is none.
        """
        home = environ.get("INSTEAD_HOME") or user_data_path("instead", appauthor=False)
        return cls(
            Path(home),
            environ.get("INSTEAD_ENCODER") or None,
            events=environ.get("INSTEAD_EVENTS") or None,
            explore=_share("INSTEAD_EXPLORE", environ.get("INSTEAD_EXPLORE") or "0"),
            rate=_count("INSTEAD_RATE", environ.get("INSTEAD_RATE")),
            keyed_rate=_count("INSTEAD_KEYED_RATE", environ.get("INSTEAD_KEYED_RATE")),
            origins=_origins("INSTEAD_ORIGINS", environ.get("INSTEAD_ORIGINS") or ""),
            proxies=_count("INSTEAD_PROXIES", environ.get("INSTEAD_PROXIES")) or 0,
            store=environ.get("INSTEAD_STORE") or None,
        )

    def rates(self, host: str) -> tuple[int, int]:
        """Return the requests a minute without and with a key, 0 for any number.

        `host` is the address that is served on.
        """
        default = (0, 0) if loopback(host) else (RATE, KEYED_RATE)
        given = (self.rate, self.keyed_rate)
        rate, keyed = (
            most if own is None else own
            for own, most in zip(given, default, strict=True)
        )
        return rate, keyed


def loopback(host: str) -> bool:
    """Tell whether nobody but this machine can reach the address `host`."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _share(name: str, text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise SettingError(f"{name} should be a number from 0 to 1, not {text!r}")
    return share


def _count(name: str, text: str | None) -> int | None:
    if not text:
        return None
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise SettingError(f"{name} should be a whole number from 0 on, not {text!r}")
    return int(text)


def _origins(name: str, text: str) -> tuple[str, ...]:
    origins = tuple(each.rstrip("/") for each in re.split(r"[,\s]+", text) if each)
    for each in origins:
        if not re.fullmatch(r"https?://[^/\s*]+", each):
            message = f"{name} should be origins such as https://example.org"
            raise SettingError(f"{message}, with commas between them, not {each!r}")
    return origins


def shipped_catalogue() -> Path:
    """Return the folder of the catalogue that comes with the package."""
    return Path(str(files("index") / "catalogue"))


def open_store(settings: Settings, url: str | None = None) -> "Store":
    """Return the store at `url`, by default the one that is set.

    Raises SettingError if there is none, or it is no address of a store.
    """
    from index.store import Store  # who has no store should not load what it takes

    url = url or settings.store
    if not url:
        raise SettingError("no store is named: give its address, or set INSTEAD_STORE")
    return Store(url)


def build_generation(
    settings: Settings,
    paths: tuple[Path, ...] = (),
    progress: Progress = silent,
    workers: Workers | None = None,
) -> Manifest:
    """Build `paths`, or the shipped catalogue if there are none, and switch to it.

    By default in as many processes as pay for what is built.
    """
    catalog = read(list(paths) or [shipped_catalogue()])
    if workers is None:
        workers = _workers(catalog.capability_count)
    encoder = settings.find(settings.encoder)
    return build(catalog, encoder, Home(settings.home), progress, workers)


def _workers(capabilities: int) -> Workers:
    count = min(os.cpu_count() or 1, PROCESSES)
    return Processes(count) if capabilities >= MANY and count > 1 else HERE


def open_generation(settings: Settings) -> Generation:
    """Return the generation in use; GenerationError if there is none.

    A need must be encoded by the model that encoded the passages: MismatchError if
    the setting names another.
    """
    generation = Home(settings.home).open()
    try:
        with suppress(EncoderError):  # words alone answer
            _chosen(settings, generation.manifest)
    except BaseException:
        generation.close()
        raise
    return generation


def open_engine(
    settings: Settings,
    generation: Generation | None = None,
    shards: Callable[[Generation], Shards] | None = None,
) -> Engine:
    """Return the engine of `generation`, by default of the one in use.

    With `shards`, those that it returns look for what may be meant. Without an encoder
    words alone answer. Raises what `open_generation` does, and `shards`.
    """
    generation = generation or open_generation(settings)
    try:
        encoder = _encoder_or_none(settings, generation)
        cut = shards(generation) if shards else None
        return Engine(generation, encoder, explore=settings.explore, shards=cut)
    except BaseException:
        generation.close()
        raise


def open_log(settings: Settings, *, later: bool = False) -> EventLog:
    """Return the event log that is set; EventError if it cannot be opened.

    A database that is away may come `later`.
    """
    if settings.events:
        return EventLog(settings.events, later=later)
    return EventLog.beside(settings.home)


def open_history(settings: Settings, *, later: bool = False) -> History:
    """Return the history of the event log that is set, its checkpoint in the home."""
    log = open_log(settings, later=later)
    name = hashlib.sha256(log.url.encode()).hexdigest()[:12]
    return History(log, settings.home / f"{GRAPH}{name}.checkpoint")


def taught(
    engine: Engine,
    history: History,
    settings: Settings,
    progress: Progress = silent,
) -> Engine:
    """Return `engine` with what the log teaches; needs are encoded once and kept.

    Raises EncoderError if a past need cannot be encoded.
    """
    memory = engine.ranker.memory
    path = (
        settings.home
        / f"{VECTORS}{engine.generation.manifest.encoder['digest'][:12]}.npy"
    )
    memory.load(path)
    graph = history.graph()
    if memory.learn(graph, lambda done, total: progress("past needs", done, total)):
        with suppress(OSError):  # they are made again if they cannot be kept
            memory.save(path)
    return engine


def forget_learned(settings: Settings) -> None:
    """Remove from the disk what was made of the log: vectors, graph and adapter."""
    for begin in (GRAPH, VECTORS):
        for path in settings.home.glob(f"{begin}*"):
            path.unlink(missing_ok=True)
    unlearn(Home(settings.home))


def _encoder_or_none(settings: Settings, generation: Generation) -> NeedEncoder:
    """Return the encoder of needs, one that refuses them all if there is none."""
    try:
        encoder = _need_encoder(settings, generation)
        encoder.is_word("need")  # a model that loads on demand does so now
    except EncoderError as error:
        logger.warning("the encoder is missing: %s", error)
        return MissingEncoder(error)
    return encoder


def _need_encoder(settings: Settings, generation: Generation) -> NeedEncoder:
    chosen = _chosen(settings, generation.manifest)
    encoder = generation.encoder() or chosen
    assert encoder is not None  # else it would have been chosen
    return encoder


def _chosen(settings: Settings, manifest: Manifest) -> Encoder | None:
    """Return the encoder that is set, None where the generation's own will do."""
    built_by = manifest.encoder
    if settings.encoder is None and built_by["exported"]:
        return None
    encoder = settings.find(settings.encoder)
    if encoder.digest != built_by["digest"]:
        message = f"generation {manifest.id} was built by {built_by['name']}"
        message += f" ({built_by['digest'][:12]}), but the encoder set here is"
        message += f" {encoder.name} ({encoder.digest[:12]})"
        raise MismatchError(
            f"{message}; set INSTEAD_ENCODER to that one, or build again"
        )
    return encoder
