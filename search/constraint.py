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


Kinds = tuple[tuple[str, ...], ...]
"""The terms of each text that says what a capability is."""


def kinds(artifact: Artifact, capability: Capability) -> Kinds:
    """Return the terms of the texts that say what a capability is.

    They are its name with its artifact's name, family, tags and categories, its
    artifact's summary, and the beginning of its description; none that sets it apart:
    "unlike diffusion".
    """
    labels = [capability.name, artifact.name, artifact.family or ""]
    labels += [*artifact.tags, *artifact.categories]
    first = sentences(capability.description)[:1]
    texts = (". ".join(labels), artifact.summary or "", *first)
    return tuple(analyse(each) for each in texts if not _APART.search(each))


def particular(terms: tuple[str, ...]) -> frozenset[str]:
    """Return those of `terms` that do not suit anything: "model", "tool"; else all."""
    return frozenset(terms) - _generic() or frozenset(terms)


def is_kind(wanted: frozenset[str], said: Kinds) -> bool:
    """Return whether a capability is `wanted`, and does not just mention it."""
    return any(map(wanted.issubset, said))


@cache
def _generic() -> frozenset[str]:
    return frozenset(analyse(" ".join(grammar().words["generic"])))


_APART = re.compile(
    r"(?i)\b(not|no|non|without|unlike|instead of|rather than|than|alternatives? to)\b"
)
