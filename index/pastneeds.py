"""Past needs as files: JSON Lines that an event log is filled from, and written to."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from index.artifact import Slug, Text
from index.errors import EventError, FeedbackError
from index.events import MatchEvent, Outcome

MAX_FAULTS = 100
"""Faults listed of one file."""


class PastNeed(BaseModel):
    """One line: a need, an artifact, what came of it; all else may be absent."""

    model_config = ConfigDict(allow_inf_nan=False, extra="forbid")

    need: Annotated[Text, Field(max_length=2000)]
    artifact: Slug | None = None
    outcome: Outcome
    at: AwareDatetime | None = None
    position: Annotated[int, Field(ge=1)] | None = None
    match: Annotated[Text, Field(max_length=64)] | None = None
    capability: Annotated[Text, Field(max_length=200)] | None = None
    id: Annotated[Text, Field(max_length=64)] | None = None
    score: float | None = None
    probability: Annotated[float, Field(gt=0, le=1)] | None = None
    generation: Annotated[Text, Field(max_length=64)] | None = None
    source: Annotated[Text, Field(max_length=100)] | None = None
    comment: Annotated[Text, Field(max_length=500)] | None = None
    legs: dict[str, float] = {}


def read(path: Path) -> list[MatchEvent]:
    """Return the events of a file; FeedbackError lists all its faults with their lines.

    An event without an id gets one made of its content and how often that came before
    in the file, so that reading a file twice writes nothing twice. Without a time it
    happened now.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise EventError(f"{path}: cannot be read: {error}") from error
    events, faults = [], []
    seen: Counter[str] = Counter()
    now = datetime.now(UTC)
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            past = PastNeed.model_validate_json(line)
        except ValidationError as error:
            faults += [
                f"{path}:{number}: {'.'.join(map(str, each['loc'])) or 'line'}: "
                f"{each['msg'].lower()}"
                for each in error.errors(include_url=False)
            ]
            continue
        if (past.artifact is None) != (past.outcome == "unmet"):
            faults.append(f"{path}:{number}: artifact: every outcome but unmet has one")
            continue
        content = past.model_dump_json(exclude_defaults=True)
        seen[content] += 1
        made = hashlib.sha256(f"{seen[content]} {content}".encode()).hexdigest()[:32]
        given = past.model_dump(exclude={"id", "at"})
        events.append(MatchEvent(id=past.id or made, at=past.at or now, **given))
    if faults:
        more = len(faults) - MAX_FAULTS
        listed = faults[:MAX_FAULTS] + ([f"and {more:,} more"] if more > 0 else [])
        raise FeedbackError("\n".join(listed))
    return events


def write(path: Path, events: Iterable[MatchEvent]) -> int:
    """Return how many events were written to `path`, as `read` reads them."""
    count = 0
    try:
        with path.open("w", encoding="utf-8") as file:
            for each in events:
                file.write(line(each) + "\n")
                count += 1
    except OSError as error:
        raise EventError(f"{path}: cannot be written: {error.strerror}") from error
    return count


def line(each: MatchEvent) -> str:
    """Return an event as a line; what is unknown is left out."""
    content: dict[str, Any] = asdict(each)
    content["at"] = each.at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    stated = {name: value for name, value in content.items() if value not in (None, {})}
    return json.dumps(stated, ensure_ascii=False)
