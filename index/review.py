"""What makes a record thin: nothing that refuses it, but nothing to be proud of."""

from datetime import date

from packaging.licenses import (
    InvalidLicenseExpression,
    canonicalize_license_expression,
)

from index.artifact import Artifact

MIN_WORDS = 40
"""A shorter description says what a capability does, not how and when."""

MIN_CAPABILITIES = 3
MAX_AGE_DAYS = 2 * 365


def review(artifact: Artifact, today: date) -> list[str]:
    """Return what a careful reader would miss, as `field: what is thin`."""
    return [
        *_evidence(artifact),
        *_capabilities(artifact),
        *_license(artifact),
        *_signals(artifact, today),
    ]


def _evidence(artifact: Artifact) -> list[str]:
    stated = [f"facts.{name}" for name in artifact.facts.model_dump(exclude_none=True)]
    stated += [name for name in ("license", "pricing") if getattr(artifact, name)]
    if not artifact.evidence:
        return ["evidence: there is none, so no constraint can be proved"]
    return [
        f"{field}: has no evidence"
        for field in stated
        if field.removeprefix("facts.") not in artifact.evidence
    ]


def _capabilities(artifact: Artifact) -> list[str]:
    found = []
    if len(artifact.capabilities) < MIN_CAPABILITIES:
        count = len(artifact.capabilities)
        found.append(f"capabilities: only {count}, fewer than {MIN_CAPABILITIES}")
    for number, capability in enumerate(artifact.capabilities):
        field = f"capabilities[{number}]"
        words = len(capability.description.split())
        if words < MIN_WORDS:
            found.append(f"{field}.description: {words} words, under {MIN_WORDS}")
        if capability.vs_alternatives and not capability.source:
            found.append(f"{field}.vs_alternatives: a comparison without a source")
    return found


def _license(artifact: Artifact) -> list[str]:
    try:
        canonicalize_license_expression(artifact.license or "MIT")
    except InvalidLicenseExpression:
        return [f"license: {artifact.license!r} is not an SPDX expression"]
    return []


def _signals(artifact: Artifact, today: date) -> list[str]:
    found = []
    for number, signal in enumerate(artifact.signals):
        if signal.as_of is None or signal.source is None:
            found.append(f"signals[{number}]: an undated or unsourced figure")
        elif (today - signal.as_of).days > MAX_AGE_DAYS:
            found.append(f"signals[{number}]: of {signal.as_of}, over two years old")
    return found
