"""What came of the answers: each is logged hit by hit, outcomes come back."""

import hashlib
import threading
import time
import uuid
from datetime import UTC, datetime

from index.errors import FeedbackError
from index.events import EventLog, MatchEvent, Outcome, Recorder
from search.engine import Answer
from search.graph import MatchGraph, Outcomes

LOOK_EVERY_S = 1.0
"""Seconds between two looks for what other processes have logged."""


class History:
    """One event log, and the match graph folded from it."""

    def __init__(self, log: EventLog) -> None:
        """Fold all of `log`; EventError if it cannot be read."""
        self.log = log
        self._recorder = Recorder(log)
        self._graph = MatchGraph()
        self._seq = 0
        self._forgettings = log.forgettings()
        self._lock = threading.Lock()
        self._next_look = 0.0
        self.graph()

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
                    self._graph, self._seq = MatchGraph(), 0
                    self._forgettings = forgettings
                for seq, event in self.log.after(self._seq):
                    self._graph.fold(event)
                    self._seq = seq
                self._next_look = time.monotonic() + LOOK_EVERY_S
            return self._graph

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
        self.log.close()


def _shown(answer: Answer, match: str, source: str | None) -> list[MatchEvent]:
    """Return an event for each hit; one of no artifact where nothing was answered."""
    now = datetime.now(UTC)
    if not answer.hits and answer.total:
        return []  # a page beyond the last shows nothing, and leaves nothing unmet
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
            legs={
                part.leg: part.value
                for part in hit.matches[0].explanation.parts
                if part.leg
            },
        )
        for hit in answer.hits
    ]
