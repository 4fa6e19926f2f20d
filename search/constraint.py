"""Constraints: what a need demands or excludes, checked against the catalogue."""

import re
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Literal

import numpy as np

from index.artifact import Artifact, Capability
from index.claims import (
    FACTS,
    SATISFIED,
    UNKNOWN,
    VIOLATED,
    Claims,
    Statuses,
    said,
    sentences,
)
from index.grammar import Rule, grammar
from index.keyword import analyse

Mode = Literal["must", "prefer", "off"]
MODES: tuple[Mode, ...] = ("must", "prefer", "off")

Status = Literal["satisfied", "unknown", "violated"]
STATUSES: dict[int, Status] = {
    SATISFIED: "satisfied",
    UNKNOWN: "unknown",
    VIOLATED: "violated",
}


@dataclass(frozen=True, slots=True)
class Constraint:
    """A condition on artifacts, read from `text`, the need from `start` to `end`.

    It demands what `rule` says or, if `excluded`, the contrary. Without a rule it
    excludes the artifacts at `positions`, or with `value` alone, what is that.
    """

    name: str
    value: str
    mode: Mode
    text: str
    start: int
    end: int
    rule: Rule | None = None
    excluded: bool = False
    positions: tuple[int, ...] = ()

    @property
    def key(self) -> str:
        """What names the constraint in a request that flips its mode."""
        return f"{'not-' if self.excluded else ''}{self.name}:{self.value}"

    def check(self, claims: Claims) -> Statuses:
        """Return every artifact's status; a topic is for capabilities to tell."""
        if self.rule is not None:
            return claims.status(self.rule)
        own = list(self.positions)
        if self.excluded:
            statuses = np.full(claims.size, SATISFIED, dtype=np.int8)
            statuses[own] = VIOLATED
        else:
            statuses = np.where(claims.known(self.name), VIOLATED, UNKNOWN)
            statuses[own] = SATISFIED
        return statuses.astype(np.int8)


@dataclass(frozen=True, slots=True)
class Checked:
    """An artifact's status for a constraint, and what proves it.

    `evidence` is the stated fact or the very sentence, None where nothing is known;
    `source` and `as_of` are where and when it was read, if that is recorded.
    """

    constraint: Constraint
    status: Status
    field: str | None = None
    evidence: str | None = None
    source: str | None = None
    as_of: date | None = None


def prove(constraint: Constraint, status: int, artifact: Artifact) -> Checked:
    """Return `status` of an artifact with the fact or sentence that proves it."""
    checked = Checked(constraint, STATUSES[status])
    if status == UNKNOWN:
        return checked
    rule = constraint.rule
    if rule is None:
        maker = f" by {artifact.provider}" if artifact.provider else ""
        return Checked(
            constraint,
            STATUSES[status],
            "name",
            f"{artifact.name}{maker}",
            artifact.url,
        )
    for field in _fields(rule):
        value = _value(artifact, field)
        if value is not None:
            source = artifact.evidence.get(field)
            return Checked(
                constraint,
                STATUSES[status],
                field,
                value,
                source.source if source else None,
                source.as_of if source else None,
            )
    claim = f"{rule.name}={rule.value}"
    for each in said(artifact):
        if each.claim == claim and each.holds == (status == SATISFIED):
            source_of = artifact.capabilities[each.number].source
            return Checked(
                constraint, STATUSES[status], "sentence", each.sentence, source_of
            )
    return checked


def _fields(rule: Rule) -> list[str]:
    """Return the record's fields that may have decided `rule`, the likeliest first."""
    names = [each.partition("=")[0] for each in (*rule.met, *rule.broken)]
    bound = [rule.bound[0]] if rule.bound else []
    names = [*bound, *names, *rule.closed, *(["deployment"] if rule.cloud_only else [])]
    return list(dict.fromkeys(FACTS.get(name, name) for name in names))


def _value(artifact: Artifact, field: str) -> str | None:
    """Return what the record states in `field`, for people."""
    if field == "pricing" or field.startswith("price in "):
        price = artifact.pricing
        if price is None:
            return None
        model = (price.model or "").replace("_", " ")
        free = {True: "free", False: "not free", None: ""}[price.free]
        parts = [model, free, price.starting_price or ""]
        return ", ".join(dict.fromkeys(filter(None, parts))) or None
    if field == "age_days":
        return f"updated {artifact.updated_at}" if artifact.updated_at else None
    if field in {"license", "type", "provider"}:
        text: str | None = getattr(artifact, field)
        return text
    facts = artifact.facts.model_dump(exclude_none=True)
    value = facts.get("languages" if field == "language_count" else field)
    if value is None:
        return None
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or None
    return f"{value:,.10g}" if isinstance(value, int | float) else str(value)


def is_kind(terms: tuple[str, ...], artifact: Artifact, capability: Capability) -> bool:
    """Return whether a capability is what `terms` say, and does not just mention it.

    Its name says so, or its artifact's name, family, tags, categories or summary, or
    the beginning of its description, unless only to set it apart: "unlike diffusion".
    """
    wanted = [each for each in terms if each not in _generic()] or list(terms)
    labels = [capability.name, artifact.name, artifact.family or ""]
    labels += [*artifact.tags, *artifact.categories]
    first = sentences(capability.description)[:1]
    for text in (". ".join(labels), artifact.summary or "", *first):
        if _APART.search(text):
            continue
        if set(wanted) <= set(analyse(text)):
            return True
    return False


@cache
def _generic() -> frozenset[str]:
    return frozenset(analyse(" ".join(grammar().words["generic"])))


_APART = re.compile(
    r"(?i)\b(not|no|non|without|unlike|instead of|rather than|than|alternatives? to)\b"
)
