"""What came of the answers: each is logged hit by hit, outcomes come back."""

import hashlib
import logging
import threading
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path

from index.errors import EventError, FeedbackError
from index.events import EventLog, MatchEvent, Outcome, Recorder
from search.checkpoint import Mark, load, save
from search.engine import Answer
from search.graph import MatchGraph, Outcomes

LOOK_EVERY_S = 1.0
"""Seconds between two looks for what other processes have logged."""

LOOK_S = 1.0
"""Seconds that a request waits for such a look at most; it takes a thousandth."""

SETTLE_S = 0.2
"""Seconds in which the hits that another server has just shown are on the disk."""

CHECKPOINT_EVERY = 20_000
"""Events folded since the last checkpoint from which on another one is written: these
are folded in less than a second."""

logger = logging.getLogger(__name__)


class History:
    """One event log, and the match graph folded from it."""

    def __init__(self, log: EventLog, checkpoint: Path | None = None) -> None:
        """Fold `log`, what is newer than `checkpoint`; EventError if it cannot be read.

        One that may come later is folded when it is there. A checkpoint that does not
        fit the log is removed. It is written here and by `close`, while no request
        waits, when much was folded since the last one.
        """
        self.log = log
        self._checkpoint = checkpoint
        self._folded = 0
        self._recorder = Recorder(log)
        self._graph = MatchGraph()
        self._seq = 0
        self._forgettings: int | None = None
        self._folding = threading.Lock()
        self._lock = threading.Lock()
        self._look: threading.Thread | None = None
        self._looked = self._next_look = 0.0
        self._unread: EventError | None = None
        try:
            self._fold()
        except EventError as error:
            if not (log.later and error.away):
                raise
            self._unreadable(error)
        self._save()

    @property
    def waiting(self) -> int:
        """How many events wait for the disk."""
        return self._recorder.waiting

    @property
    def dropped(self) -> int:
        """How many events were dropped: too many waited, or the log refused them."""
        return self._recorder.dropped

    @property
    def away(self) -> EventError | None:
        """Why the log was not read or written the last time, None if it was."""
        return self._recorder.away or self._unread

    def answered(self, answer: Answer, source: str | None = None) -> str:
        """Return the match id of `answer`, whose hits are logged without waiting."""
        match = uuid.uuid4().hex
        self._recorder.record(_shown(answer, match, source))
        return match

    def told(
        self, match: str, slug: str, outcome: Outcome, comment: str | None = None
    ) -> str:
        """Return the id of a logged outcome once it is on the disk.

        Telling the same twice gives the same id and counts once. Raises FeedbackError
        for a match that is not known or did not show `slug`, EventError if the log
        cannot be read or written within seconds: then it may be told again.
        """
        self._recorder.flush()
        hits = {each.artifact: each for each in self.log.shown(match)}
        if not hits:
            time.sleep(SETTLE_S)
            hits = {each.artifact: each for each in self.log.shown(match)}
        if not hits:
            message = f"no answer has the match id {match!r}; search, and give its"
            raise FeedbackError(f"{message} matchId (what is forgotten has none)")
        if slug not in hits:
            raise FeedbackError(
                f"the answer {match!r} did not show {slug!r}; it showed "
                f"{', '.join(str(each) for each in hits)}"
            )
        hit = hits[slug]
        id_ = hashlib.sha256(f"{match} {slug} {outcome}".encode()).hexdigest()[:32]
        event = MatchEvent(
            id=id_,
            need=hit.need,
            outcome=outcome,
            at=datetime.now(UTC),
            artifact=slug,
            match=match,
            capability=hit.capability,
            position=hit.position,
            generation=hit.generation,
            source=hit.source,
            comment=comment,
        )
        self._recorder.write([event])
        self._next_look = 0.0
        return id_

    def graph(self) -> MatchGraph:
        """Return the graph with everything that was on the disk a second ago.

        A log that is away, or takes its time, keeps nobody waiting: then it is the
        graph that was known before.
        """
        with self._lock:
            now = time.monotonic()
            look = self._look
            if now >= self._next_look and not (look and look.is_alive()):
                self._looked, self._next_look = now, now + LOOK_EVERY_S
                # A daemon, for a log that hangs must not keep the process from its end.
                look = threading.Thread(target=self._refold, name="log", daemon=True)
                self._look = look
                look.start()
            patience = self._looked + LOOK_S - now
        if look and patience > 0:
            look.join(patience)
        return self._graph

    def _refold(self) -> None:
        """Fold what is new; what keeps from it is said once."""
        try:
            self._fold()
        except EventError as error:
            self._unreadable(error)
        else:
            if self._unread:
                logger.warning("the event log is read again")
            self._unread = None

    def _unreadable(self, error: EventError) -> None:
        if not self._unread:
            logger.warning("%s; what is newer there is not known yet", error)
        self._unread = error

    def _fold(self) -> None:
        """Fold what is new in the log; EventError if it cannot be read."""
        with self._folding:
            forgettings = self.log.forgettings()
            if self._forgettings is None:
                self._forgettings = forgettings
                self._start()
            elif forgettings != self._forgettings:  # the graph forgets too
                self._graph, self._seq, self._folded = MatchGraph(), 0, 0
                self._forgettings = forgettings
                self._drop()
            for seq, event in self.log.after(self._seq):
                self._graph.fold(event)
                self._seq = seq
                self._folded += 1

    def logged(self) -> int:
        """Return how many events were ever logged, as of a second ago."""
        self.graph()
        return self._seq

    def state(self) -> str:
        """Return what differs as soon as the graph counts or forgets another event."""
        self.graph()
        return f"{self._forgettings}.{self._seq}"

    def outcomes(self, slug: str) -> Outcomes:
        """Return what came of an artifact; all counts are 0 where nothing did."""
        return self.graph().artifacts.get(slug) or Outcomes()

    def flush(self) -> None:
        """Wait until everything recorded is on the disk, and in the graph.

        Raises EventError if the log does not take it or does not answer.
        """
        self._recorder.flush()
        self._fold()

    def close(self) -> None:
        """Write what waits, and let the log go."""
        self._recorder.close()
        if not self.away and self._folding.acquire(timeout=LOOK_S):
            try:
                self._save()
            finally:
                self._folding.release()
        self.log.close()

    def _start(self) -> None:
        """Take the graph of the checkpoint if it is of this log as it is now."""
        if not self._checkpoint or not (found := load(self._checkpoint)):
            return
        graph, mark = found
        assert self._forgettings is not None
        if mark == Mark(mark.seq, self.log.id_of(mark.seq) or "", self._forgettings):
            self._graph, self._seq = graph, mark.seq
        else:
            logger.warning(
                "%s is of another log, or of one that has forgotten since: "
                "the log is folded anew",
                self._checkpoint,
            )
            self._drop()

    def _save(self) -> None:
        """Write a checkpoint if there is enough to save; no trouble of it is raised."""
        if not self._checkpoint or self._folded < CHECKPOINT_EVERY:
            return
        assert self._forgettings is not None
        try:
            event = self.log.id_of(self._seq)
            if event is None or self._has_forgotten():
                return
            save(
                self._checkpoint, self._graph, Mark(self._seq, event, self._forgettings)
            )
            self._folded = 0
            if self._has_forgotten():  # what is removed by then was not there yet
                self._drop()
        except (OSError, EventError) as error:
            logger.warning("no checkpoint is written: %s", error)

    def _drop(self) -> None:
        """Remove the checkpoint: another host may have forgotten what is in it."""
        if self._checkpoint:
            try:
                self._checkpoint.unlink(missing_ok=True)
            except OSError as error:
                logger.warning("an old checkpoint stays: %s", error)

    def _has_forgotten(self) -> bool:
        return self.log.forgettings() != self._forgettings


def _shown(answer: Answer, match: str, source: str | None) -> list[MatchEvent]:
    """Return an event for each hit; one of no artifact where nothing was answered."""
    now = datetime.now(UTC)
    if not answer.hits and (answer.total or answer.need.degraded):
        return []  # beyond the last page, or by words alone, nothing is left unmet
    if not answer.hits:
        event = MatchEvent(
            id=f"{match}-0",
            need=answer.need.text,
            outcome="unmet",
            at=now,
            match=match,
            generation=answer.generation,
            source=source,
        )
        return [event]
    return [
        MatchEvent(
            id=f"{match}-{hit.position}",
            need=answer.need.text,
            outcome="shown",
            at=now,
            artifact=hit.artifact.slug,
            match=match,
            capability=hit.matches[0].capability.id,
            position=hit.position,
            score=hit.score,
            probability=hit.probability,
            generation=answer.generation,
            source=source,
            legs={part.leg: part.value for part in hit.explanation.parts if part.leg},
        )
        for hit in answer.hits
    ]
