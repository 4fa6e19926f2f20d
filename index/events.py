"""The event log: what was shown for which need, and what came of it.

An append-only table in SQL, by default SQLite beside the generations. An event's id
makes writing it twice harmless. No address, cookie or user is recorded.
"""

import json
import logging
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

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
from sqlalchemy.exc import (
    InternalError,
    OperationalError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import QueuePool

from index.errors import EventError, told

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

WAITING = 200_000
"""Events that may wait for the disk, 0.6 kB each: five minutes of sixty answers a
second with ten hits each. Further ones are dropped, and counted."""

WRITE_S = 3.0
"""Seconds that one waits for the disk at most, and that a database has to answer when
it is connected to; once somebody waited in vain, nobody else does."""

RETRY_S = 1.0
"""Seconds between two attempts to write to a log that is away."""

TOO_MANY = "too many events wait for the disk; try again later"


AWAY = (OperationalError, InternalError, PoolTimeoutError)
"""What says that the database does not answer, not that it was asked wrongly."""

PATIENCE = {
    "connect_timeout": f"{WRITE_S:.0f}",
    "keepalives_idle": "10",
    "tcp_user_timeout": "10000",
}
"""How soon PostgreSQL's driver notices that the server's machine is gone, unless the
URL says otherwise."""


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

    def __init__(self, url: str, *, later: bool = False) -> None:
        """Open the log at an SQLAlchemy URL, made if there is none.

        Raises EventError if it cannot be, or is of a newer version. One that is away
        may come `later`: it is opened as soon as it is there, and each use of it raises
        EventError until then.
        """
        self.url = url
        self.later = later
        self._engine = _database(url)
        self._is_sqlite = self._engine.dialect.name == "sqlite"
        self._prepared = False
        self._preparing = threading.Lock()
        if self._is_sqlite:
            event.listen(self._engine, "connect", _durable)
        try:
            with self._connection():
                pass
        except EventError as error:
            if later and error.away:
                return
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
            message = f"the event log {told(self.url)} has version {found}, newer than"
            raise EventError(f"{message} {VERSION}; use a newer instead")

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        try:
            if not self._prepared:
                with self._preparing, self._engine.begin() as connection:
                    self._prepare(connection)
                self._prepared = True
            with self._engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            reason = str(getattr(error, "orig", None) or error).splitlines()[0]
            message = f"the event log {told(self.url)}: {reason}"
            lost = bool(getattr(error, "connection_invalidated", False))
            raise EventError(message, away=lost or isinstance(error, AWAY)) from error

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
                f"{message} file of {told(self.url)}: {reason}; forget again"
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
            patience = {**PATIENCE, **address.query}
            address = address.set(drivername="postgresql+psycopg", query=patience)
        return create_engine(address, poolclass=QueuePool, pool_pre_ping=True)
    except ModuleNotFoundError as error:
        message = f"the event log {told(url)} needs {error.name}"
        raise EventError(f"{message}; install it with: pip install {DRIVER}") from error
    except SQLAlchemyError as error:
        reason = str(error).splitlines()[0]
        raise EventError(
            f"{told(url)!r} is no address of a database: {reason}"
        ) from error


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
    row = {
        name: value.replace("\0", "") if isinstance(value, str) else value
        for name, value in asdict(each).items()  # PostgreSQL has no such sign
    }
    legs = json.dumps(each.legs) if each.legs else None
    return {**row, "at": _stamp(each.at), "legs": legs}


def _event(row: Any) -> MatchEvent:
    content = {name: getattr(row, name) for name in _NAMES}
    content["at"] = datetime.fromisoformat(row.at)
    content["legs"] = json.loads(row.legs) if row.legs else {}
    return MatchEvent(**content)


class _Entry(NamedTuple):
    """Events that are written together, and who waits for that, if anybody does."""

    events: list[MatchEvent]
    future: Future[None] | None = None


class Recorder:
    """Writes events from many threads, those that wait together in one commit.

    While the log is away, what was recorded waits until it is there again. What is too
    much to wait, or what the log refuses, is dropped, and counted.
    """

    def __init__(self, log: EventLog, most: int = WAITING) -> None:
        """Write to `log`, from a thread of its own that begins with the first event.

        At most `most` events wait for the disk.
        """
        self._log = log
        self._most = most
        self._queue: deque[_Entry] = deque()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._over = False
        self._retry_at = 0.0
        self._singly = 0
        self._dropping = False
        self.waiting = 0
        self.dropped = 0
        self._away: EventError | None = None
        self._late: EventError | None = None

    @property
    def away(self) -> EventError | None:
        """Why nothing can be written now, None if it can."""
        return self._late or self._away

    def record(self, events: Iterable[MatchEvent]) -> None:
        """Have `events` written behind; nobody waits for that."""
        self._put(_Entry(list(events)))

    def write(self, events: Iterable[MatchEvent], wait_s: float = WRITE_S) -> None:
        """Return once `events`, and all that was recorded before, are on the disk.

        Raises EventError if they are not there in `wait_s` seconds, and at once where
        the log is known to be away. The same may then be written again.
        """
        if self._late or (self._away and time.monotonic() < self._retry_at):
            raise EventError(str(self.away), away=True)
        future: Future[None] = Future()
        self._put(_Entry(list(events), future))
        try:
            future.result(wait_s)
        except FutureTimeoutError as error:
            future.cancel()
            message = f"the event log did not answer within {wait_s:g} s"
            late = EventError(f"{message}; try again later", away=True)
            if not self.away:
                logger.warning("%s; events wait until it does", message)
            self._late = late
            raise late from error

    def flush(self) -> None:
        """Wait until all events recorded so far are on the disk.

        Raises EventError if they are not, or if the log does not answer.
        """
        self.write([])

    def close(self) -> None:
        """Write what waits, and end; what a log that is away does not take is lost."""
        with self._changed:
            self._over = True
            self._changed.notify_all()
        waiting = None
        while self._thread and self._thread.is_alive() and waiting != self.waiting:
            waiting = self.waiting
            self._thread.join(WRITE_S)  # no longer than it gets on
        if self.waiting:
            logger.warning("%d events are lost: %s", self.waiting, self._away)

    def _put(self, entry: _Entry) -> None:
        with self._changed:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, daemon=True)
                self._thread.start()
            self.waiting += len(entry.events)
            if self.waiting <= self._most:
                self._queue.append(entry)
                self._changed.notify_all()
                return
        self._drop(entry, EventError(TOO_MANY, away=True))

    def _run(self) -> None:
        while (group := self._next()) is not None:
            try:
                if any(entry.events for entry in group):
                    self._log.append(each for entry in group for each in entry.events)
                else:  # who flushes is told, too, whether the log is there
                    self._log.forgettings()
            except EventError as error:
                self._refused(group, error)
            except Exception as error:  # whatever a driver makes of what it is given
                self._refused(group, EventError(f"no event: {error}"))
            else:
                self._wrote(group)
            self._late = None

    def _next(self) -> list[_Entry] | None:
        """Return what is to be written next, once it is time to; None at the end."""
        with self._changed:
            if self._away:
                pause = self._retry_at - time.monotonic()
                self._changed.wait_for(lambda: self._over, pause)
            self._changed.wait_for(lambda: self._queue or self._over)
            if not self._queue or (self._over and self._away):
                return None
            group: list[_Entry] = []
            size = 0
            while self._queue and size < GROUP:
                entry = self._queue.popleft()
                if not _is_wanted(entry.future):
                    self.waiting -= len(entry.events)
                    continue
                group.append(entry)
                size += len(entry.events)
                if self._singly:
                    self._singly -= 1
                    break
            return group

    def _wrote(self, group: list[_Entry]) -> None:
        with self._changed:
            self.waiting -= sum(len(each.events) for each in group)
            if self._away:
                waited = f"{self.waiting:,} events still wait"
                logger.warning("the event log is there again; %s", waited)
            self._away = None
            self._dropping = False
        for each in group:
            if each.future:
                each.future.set_result(None)

    def _refused(self, group: list[_Entry], error: EventError) -> None:
        """Have those told who wait, and the others wait or be dropped."""
        if not error.away and len(group) == 1:
            self._drop(group[0], error)
            return
        gone = [each for each in group if each.future and error.away]
        with self._changed:
            if not error.away:  # one of them is to blame: each is written alone
                self._singly = len(group)
            else:
                if not self._away:
                    logger.warning("%s; events wait until it is there again", error)
                self._away = error
                self._retry_at = time.monotonic() + RETRY_S
            self._queue.extendleft(each for each in reversed(group) if each not in gone)
            self.waiting -= sum(len(each.events) for each in gone)
        for each in gone:
            assert each.future is not None
            each.future.set_exception(error)

    def _drop(self, entry: _Entry, error: EventError) -> None:
        with self._changed:
            self.waiting -= len(entry.events)
            if entry.future is None:
                self.dropped += len(entry.events)
                if not self._dropping:
                    logger.warning("events are dropped: %s", error)
                self._dropping = True
        if entry.future:
            entry.future.set_exception(error)


def _is_wanted(future: "Future[None] | None") -> bool:
    """Tell whether nobody who waited has gone since; nobody goes from now on."""
    if future is None or future.running():
        return True
    return future.set_running_or_notify_cancel()
