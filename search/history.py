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

CHECKPOINT_EVERY = 20_000
"""Events folded since the last checkpoint from which on another one is written: these
are folded in less than a second."""

logger = logging.getLogger(__name__)


class History:
    """One event log, and the match graph folded from it."""

    def __init__(self, log: EventLog, checkpoint: Path | None = None) -> None:
        """Fold `log`, what is newer than `checkpoint`; EventError if it cannot be read.

        A checkpoint that does not fit the log is removed. It is written here and by
        `close`, while no request waits, when much was folded since the last one.
        """
        self.log = log
        self._checkpoint = checkpoint
        self._folded = 0
        self._recorder = Recorder(log)
        self._graph = MatchGraph()
        self._seq = 0
        self._forgettings = log.forgettings()
        self._lock = threading.Lock()
        self._next_look = 0.0
        self._start()
        self.graph()
        self._save()

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
        cannot be written.
        """
        self._recorder.flush()
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
        self._recorder.record([event]).result()
        self._next_look = 0.0
        return id_

    def graph(self) -> MatchGraph:
        """Return the graph with everything that was on the disk a second ago."""
        with self._lock:
            if time.monotonic() >= self._next_look:
                forgettings = self.log.forgettings()
                if forgettings != self._forgettings:  # the graph forgets too
                    self._graph, self._seq, self._folded = MatchGraph(), 0, 0
                    self._forgettings = forgettings
                    self._drop()
                for seq, event in self.log.after(self._seq):
                    self._graph.fold(event)
                    self._seq = seq
                    self._folded += 1
                self._next_look = time.monotonic() + LOOK_EVERY_S
            return self._graph

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
        """Wait until everything recorded is on the disk."""
        self._recorder.flush()
        self._next_look = 0.0

    def close(self) -> None:
        """Write what waits, and let the log go."""
        self._recorder.close()
        with self._lock:
            self._save()
        self.log.close()

    def _start(self) -> None:
        """Take the graph of the checkpoint if it is of this log as it is now."""
        if not self._checkpoint or not (found := load(self._checkpoint)):
            return
        graph, mark = found
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
