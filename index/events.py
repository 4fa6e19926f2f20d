"""The event log: what was shown for which need, and what came of it.

An append-only table in SQL, by default SQLite beside the generations. An event's id
makes writing it twice harmless. No address, cookie or user is recorded.
"""

import json
import logging
import queue
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    create_engine,
    delete,
    event,
    func,
    inspect,
    make_url,
    select,
    text,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import QueuePool

from index.errors import EventError

logger = logging.getLogger(__name__)

Outcome = Literal[
    "shown", "chosen", "compared", "worked", "failed", "dismissed", "unmet"
]
OUTCOMES: tuple[str, ...] = get_args(Outcome)
"""What can become of a hit; `unmet` is of a need that nothing answered, and of no
artifact."""

VERSION = 1
"""Of the tables, the first; a log of a newer version is refused."""

GROUP = 1000
"""Events committed together at most."""

MAKING = 0x1257EAD
"""What PostgreSQL knows the lock by that is held while tables are made; any number."""

DRIVER = "'instead[postgres]'"
"""What brings the driver of PostgreSQL."""

WAITING = 100_000
"""Answers that may wait for the disk; the events of further ones are dropped, and that
is logged."""


@dataclass(frozen=True, slots=True)
class MatchEvent:
    """One line of the log.

    `position` is from 1, `probability` that of showing the hit there, `legs` the
    retrievers' shares of its `score`. What is unknown is None.
    """

    id: str
    need: str
    outcome: Outcome
    at: datetime
    artifact: str | None = None
    match: str | None = None
    capability: str | None = None
    position: int | None = None
    score: float | None = None
    probability: float | None = None
    generation: str | None = None
    source: str | None = None
    comment: str | None = None
    legs: dict[str, float] = field(default_factory=dict)


_metadata = MetaData()
_events = Table(
    "events",
    _metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("id", String(64), nullable=False, unique=True),
    Column("need", Text, nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("at", String(27), nullable=False),
    Column("artifact", String(200)),
    Column("match", String(64)),
    Column("capability", String(200)),
    Column("position", Integer),
    Column("score", Float),
    Column("probability", Float),
    Column("generation", String(64)),
    Column("source", String(100)),
    Column("comment", Text),
    Column("legs", Text),
    Index("events_by_match", "match"),
    Index("events_by_time", "at"),
    sqlite_autoincrement=True,
)
_version = Table(
    "schema_version", _metadata, Column("version", Integer, nullable=False)
)

_forgettings = Table(
    "forgettings", _metadata, Column("number", Integer, primary_key=True)
)

_NAMES = tuple(each.name for each in fields(MatchEvent))


class EventLog:
    """The log at one address; safe to use from several threads and processes."""

    def __init__(self, url: str) -> None:
        """Open the log at an SQLAlchemy URL, made if there is none.

        Raises EventError if it cannot be, or is of a newer version.
        """
        self.url = url
        self._engine = _database(url)
        self._is_sqlite = self._engine.dialect.name == "sqlite"
        if self._is_sqlite:
            event.listen(self._engine, "connect", _durable)
        try:
            with self._connection() as connection:
                self._prepare(connection)
        except EventError:
            self.close()
            raise

    @classmethod
    def beside(cls, home: Path) -> "EventLog":
        """Return the SQLite log of a home, made if there is none."""
        try:
            home.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise EventError(f"{home}: {error.strerror}") from error
        return cls(f"sqlite:///{home / 'events.sqlite'}")

    def _prepare(self, connection: Connection) -> None:
        if not inspect(connection).has_table(_version.name):
            # One process after the other, or each makes what it does not see yet.
            connection.exec_driver_sql(
                "BEGIN IMMEDIATE"
                if self._is_sqlite
                else f"SELECT pg_advisory_xact_lock({MAKING})"
            )
        _metadata.create_all(connection)
        found = connection.scalar(select(_version.c.version))
        if found is None:
            connection.execute(_version.insert().values(version=VERSION))
        elif found > VERSION:
            message = f"the event log {self.url} has version {found}, newer than"
            raise EventError(f"{message} {VERSION}; use a newer instead")

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            reason = str(getattr(error, "orig", None) or error).splitlines()[0]
            raise EventError(f"the event log {self.url}: {reason}") from error

    def append(self, events: Iterable[MatchEvent]) -> int:
        """Return how many of `events` were new; all are on the disk then, or none."""
        rows = [_row(each) for each in events]
        if not rows:
            return 0
        dialect: Any = sqlite
        if not self._is_sqlite:
            from sqlalchemy.dialects import postgresql as dialect  # .05 s of a start
        insert = dialect.insert(_events).on_conflict_do_nothing(index_elements=["id"])
        with self._connection() as connection:
            if not self._is_sqlite:
                # One writer at a time, as in SQLite: else a number could be seen before
                # a smaller one, and who reads on from it would miss that event.
                connection.execute(text("LOCK TABLE events IN EXCLUSIVE MODE"))
            new = connection.execute(insert.returning(_events.c.seq), rows)
            return len(new.all())

    def after(self, seq: int = 0) -> Iterator[tuple[int, MatchEvent]]:
        """Yield the events after number `seq`, each with its own, in order."""
        while True:
            query = select(_events).where(_events.c.seq > seq).order_by(_events.c.seq)
            with self._connection() as connection:
                rows = connection.execute(query.limit(GROUP * 10)).all()
            for row in rows:
                seq = row.seq
                yield seq, _event(row)
            if not rows:
                return

    def id_of(self, seq: int) -> str | None:
        """Return the id of the event with number `seq`; None if there is none."""
        with self._connection() as connection:
            query = select(_events.c.id).where(_events.c.seq == seq)
            return connection.scalar(query)

    def forgettings(self) -> int:
        """Return how often events were removed: what was folded of them is void."""
        with self._connection() as connection:
            return (
                connection.scalar(select(func.count()).select_from(_forgettings)) or 0
            )

    def shown(self, match: str) -> tuple[MatchEvent, ...]:
        """Return the hits that a match showed, best first; empty if it is unknown."""
        query = select(_events).where(
            _events.c.match == match, _events.c.outcome == "shown"
        )
        with self._connection() as connection:
            rows = connection.execute(query.order_by(_events.c.position)).all()
        return tuple(map(_event, rows))

    def __len__(self) -> int:
        """Return the number of events."""
        with self._connection() as connection:
            return connection.scalar(select(func.count()).select_from(_events)) or 0

    def forget(self, before: datetime) -> int:
        """Return how many events older than `before` were removed, for good."""
        with self._connection() as connection:
            gone = connection.execute(
                delete(_events).where(_events.c.at < _stamp(before))
            ).rowcount
            connection.execute(_forgettings.insert())
        try:
            self._rewrite()
        except SQLAlchemyError as error:
            message = f"{gone:,} events are removed, but traces of them stay in the"
            reason = str(getattr(error, "orig", None) or error).splitlines()[0]
            raise EventError(
                f"{message} file of {self.url}: {reason}; forget again"
            ) from error
        return gone

    def _rewrite(self) -> None:
        """Write the tables anew, so that nothing is left of what was removed."""
        # VACUUM runs in no transaction; the pool takes its connection back as it was.
        with self._engine.connect() as plain:
            plain.execution_options(isolation_level="AUTOCOMMIT")
            if self._is_sqlite:
                plain.execute(text("VACUUM"))
                plain.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
            else:
                plain.execute(text("VACUUM FULL events"))  # rewrites it

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()


def _database(url: str) -> Engine:
    """Return the database at `url`; EventError if there is none of its kind."""
    try:
        address = make_url(url)
        if address.drivername == "postgresql":
            address = address.set(drivername="postgresql+psycopg")
        return create_engine(address, poolclass=QueuePool, pool_pre_ping=True)
    except ModuleNotFoundError as error:
        message = f"the event log {url} needs {error.name}"
        raise EventError(f"{message}; install it with: pip install {DRIVER}") from error
    except SQLAlchemyError as error:
        reason = str(error).splitlines()[0]
        raise EventError(f"{url!r} is no address of a database: {reason}") from error


def _durable(connection: Any, _: object) -> None:
    """Let a commit of SQLite survive the loss of power, and readers go on."""
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "busy_timeout=10000",
        "secure_delete=ON",  # what is forgotten leaves no trace in the file
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _row(each: MatchEvent) -> dict[str, Any]:
    row = asdict(each)
    legs = json.dumps(each.legs) if each.legs else None
    return {**row, "at": _stamp(each.at), "legs": legs}


def _event(row: Any) -> MatchEvent:
    content = {name: getattr(row, name) for name in _NAMES}
    content["at"] = datetime.fromisoformat(row.at)
    content["legs"] = json.loads(row.legs) if row.legs else {}
    return MatchEvent(**content)


class Recorder:
    """Writes events from many threads, those that wait together in one commit."""

    def __init__(self, log: EventLog, waiting: int = WAITING) -> None:
        """Write to `log`, from a thread of its own that begins with the first event.

        At most `waiting` calls wait for the disk.
        """
        self._log = log
        self._queue: queue.Queue[tuple[list[MatchEvent], Future[int]] | None]
        self._queue = queue.Queue(maxsize=waiting)
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def record(self, events: Iterable[MatchEvent]) -> Future[int]:
        """Return what is done once `events` are on the disk, or has the EventError."""
        future: Future[int] = Future()
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._write, daemon=True)
                self._thread.start()
        try:
            self._queue.put_nowait((list(events), future))
        except queue.Full:
            error = EventError("too many events wait for the disk; try again later")
            future.set_exception(error)
            logger.warning("events dropped: %s", error)
        return future

    def flush(self) -> None:
        """Wait until all events recorded so far are on the disk."""
        self.record([]).result()

    def close(self) -> None:
        """Write what waits, and end."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()

    def _write(self) -> None:
        while (first := self._queue.get()) is not None:
            group, size = [first], len(first[0])
            end = False
            while size < GROUP:
                try:
                    further = self._queue.get_nowait()
                except queue.Empty:
                    break
                if further is None:
                    end = True
                    break
                group.append(further)
                size += len(further[0])
            try:
                new = self._log.append(each for events, _ in group for each in events)
            except EventError as error:
                logger.warning("events not written: %s", error)
                for _, future in group:
                    future.set_exception(error)
            else:
                for _, future in group:
                    future.set_result(new)
            if end:
                return
