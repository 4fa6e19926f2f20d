"""What the catalogue states, as claims that a constraint is checked against.

A claim is `field=value`. Those of facts decide; what only a sentence says counts where
no fact is stated, and is kept apart.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property, lru_cache
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from index.artifact import Artifact, Pricing
from index.catalog import Catalog
from index.grammar import Rule, grammar
from index.shards import Shard

FILE, POSITIONS, FIGURES = "claims.json", "claims.npy", "figures.npy"

Statuses = NDArray[np.int8]
"""SATISFIED, UNKNOWN or VIOLATED for each artifact, by position."""

SATISFIED, UNKNOWN, VIOLATED = 1, 0, -1

REMEMBERED = 256
"""Rules whose statuses are remembered: a need asks for the same again for each hit, and
needs share them. A byte for each artifact and rule."""

LISTS = (
    "deployment", "hardware", "languages", "programming_languages", "inputs", "outputs",
)  # fmt: skip
"""Facts that hold several values: excluding one leaves the others."""

NUMBERS = ("parameters", "min_memory_gb", "context_tokens")

CLOUD = ("deployment=cloud", "deployment=cloud_api")
LOCAL = ("deployment=self_hosted", "deployment=desktop", "deployment=edge")
"""A phone or a browser may be but the face of a cloud, so they prove neither."""

FAMILIAR = {"csharp": "c#", "golang": "go", "node": "javascript"}

FACTS = {"free": "pricing", "pricing": "pricing", "weights": "license"}
"""The record's field behind a claim, where it is not the claim's own."""


def stated(artifact: Artifact) -> set[str]:
    """Return the claims of an artifact's facts, licence, price, type and provider."""
    facts = artifact.facts.model_dump(exclude_none=True)
    claims = {f"type={artifact.type}"}
    for name in LISTS:
        values = facts.get(name) or ()
        values = (values,) if isinstance(values, str) else values
        claims |= {
            f"{name}={FAMILIAR.get(str(each).casefold(), str(each).casefold())}"
            for each in values
        }
    languages = {each for each in claims if each.startswith("languages=")}
    if len(languages) > 1:
        claims.add("languages=many")
    for name in ("offline", "commercial_use"):
        if isinstance(facts.get(name), bool):
            claims.add(f"{name}={'yes' if facts[name] else 'no'}")
    claims |= _license(artifact.license) | _pricing(artifact.pricing or Pricing())
    if _cloud_only(claims):
        claims.add("weights=closed")
    elif artifact.license and claims & set(LOCAL):
        claims.add("weights=open")
    return claims


def _pricing(pricing: Pricing) -> set[str]:
    claims = {f"pricing={pricing.model}"} if pricing.model else set()
    free = pricing.free
    if free is None and pricing.model in {"free", "open_source"}:
        free = True
    return claims if free is None else {*claims, f"free={'yes' if free else 'no'}"}


def _cloud_only(claims: set[str]) -> bool:
    return bool(claims & set(CLOUD)) and not claims & set(LOCAL)


def _license(text: str | None) -> set[str]:
    """Return the claims of an SPDX expression: ids, families, and what they allow.

    Classes are those of the ScanCode licence database, as license-expression has it.
    Of alternatives any counts; of licences that hold together the strictest.
    """
    if not text:
        return set()
    alternatives = [
        [_known(each) for each in re.split(r"\s+(?:AND|WITH)\s+|\s*,\s*", part)]
        for part in re.split(r"\s+OR\s+|/", text.strip("()"))
    ]
    claims = set()
    for together in alternatives:
        kinds = {kind for _, kind in together}
        for id_, _ in together:
            claims |= {f"license={id_}", f"license={re.sub(r'-[0-9].*$', '', id_)}"}
        if "restricted" in kinds:
            claims.add("license=restricted")
        elif kinds <= {"permissive", "copyleft"}:
            strictest = "copyleft" if "copyleft" in kinds else "permissive"
            claims |= {f"license={strictest}", "license=open_source"}
    if "license=open_source" in claims:
        claims.discard("license=restricted")
    if re.search(r"(?i)non-?commercial|research|\bNC\b", text):
        claims.add("license=noncommercial")
    return claims


def _known(text: str) -> tuple[str, str]:
    """Return a licence's SPDX id and its class; its own text and "" if unknown."""
    kinds = _license_kinds()
    name = text.strip(" ()")
    if name.lower() in kinds:
        return kinds[name.lower()]
    custom = name.startswith("LicenseRef") or "rail" in name.lower()
    return name, "restricted" if custom else ""


def _license_kinds() -> Mapping[str, tuple[str, str]]:
    if not _KINDS:
        from license_expression import get_license_index

        classes = {
            "Permissive": "permissive",
            "Public Domain": "permissive",
            "Copyleft": "copyleft",
            "Copyleft Limited": "copyleft",
        }
        for each in get_license_index():
            kind = classes.get(each["category"], "restricted")
            id_ = each["spdx_license_key"]
            if id_ and not each["is_exception"]:
                for name in (id_, *each["other_spdx_license_keys"]):
                    _KINDS.setdefault(name.lower(), (id_, kind))
    return _KINDS


_KINDS: dict[str, tuple[str, str]] = {}


def figures(artifact: Artifact, today: date) -> dict[str, float]:
    """Return the figures that bounds are checked against, by field."""
    facts = artifact.facts.model_dump(exclude_none=True)
    found = {
        name: float(facts[name])
        for name in NUMBERS
        if isinstance(facts.get(name), int | float)
    }
    languages = facts.get("languages")
    if languages and "multilingual" not in languages:
        found["language_count"] = float(len(languages))
    if artifact.updated_at:
        found["age_days"] = float((today - artifact.updated_at).days)
    if artifact.pricing and artifact.pricing.starting_price:
        found.update(_price(artifact.pricing.starting_price))
    return found


def _price(text: str) -> dict[str, float]:
    """Return the first price that `text` states, by currency and what it buys."""
    for mention in grammar().prices(text):
        amount, _, unit = mention.partition(" ")
        return {f"price in {unit}": float(amount)}
    return {}


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence of capability `number` that says whether a claim holds."""

    claim: str
    holds: bool
    number: int
    sentence: str


def said(artifact: Artifact) -> Iterator[Said]:
    """Yield what the sentences of an artifact's capabilities say of it.

    Sentences that compare it with others are passed over: they may speak of those.
    """
    for number, capability in enumerate(artifact.capabilities):
        texts = (
            capability.description,
            capability.unique or "",
            *capability.limitations,
            *capability.requires,
        )
        for sentence in chain.from_iterable(map(sentences, texts)):
            if _COMPARES.search(sentence):
                continue
            for rule, holds in grammar().recorded(sentence):
                yield Said(f"{rule.name}={rule.value}", holds, number, sentence)


_COMPARES = re.compile(
    r"(?i)\b(unlike|compared|than|whereas|instead of|rather than|alternatives?|while|"
    r"not|no longer|without being|either|optional(ly)?|if)\b"
)


def sentences(text: str) -> list[str]:
    """Return the sentences of `text`."""
    return [each for each in re.split(r"(?<=[.!?;])\s+|\n+", text) if each]


@dataclass(frozen=True, slots=True)
class Part:
    """The claims and figures of a shard, by the positions of its artifacts in it."""

    size: int
    positions: dict[str, list[int]]
    figures: dict[str, dict[int, float]]


def part(shard: Shard, today: date) -> Part:
    """Return all claims of `shard`; ages are counted on the day `today`."""
    found = Part(len(shard.artifacts), {}, {})
    for position, artifact in enumerate(shard.artifacts):
        claims = stated(artifact)
        for each in said(artifact):
            claims.add(f"{'says' if each.holds else 'denies'} {each.claim}")
        for claim in claims | _others(artifact):
            found.positions.setdefault(claim, []).append(position)
        for name, value in figures(artifact, today).items():
            found.figures.setdefault(name, {})[position] = value
    return found


def join(parts: Sequence[Part], folder: Path) -> None:
    """Write the claims of all `parts`, in order."""
    positions: dict[str, list[int]] = {}
    names = dict.fromkeys(chain.from_iterable(each.figures for each in parts))
    table = np.full((len(names), sum(each.size for each in parts)), np.nan)
    numbers = dict(zip(names, table, strict=True))
    first = 0
    for each in parts:
        for claim, own in each.positions.items():
            positions.setdefault(claim, []).extend(first + place for place in own)
        for name, values in each.figures.items():
            places = first + np.array([*values])
            numbers[name][places] = [*values.values()]
        first += each.size
    keys = sorted(positions)
    lengths = [len(positions[key]) for key in keys]
    flat = np.array([each for key in keys for each in positions[key]], dtype=np.int32)
    np.save(folder / POSITIONS, flat)
    np.save(folder / FIGURES, table)
    content = {
        "claims": keys,
        "ends": np.cumsum(lengths).tolist(),
        "figures": list(names),
    }
    (folder / FILE).write_text(json.dumps(content), encoding="utf-8")


def _others(artifact: Artifact) -> set[str]:
    """Return the claims of who made it, of which family it is, and what kind."""
    family = {f"family={artifact.family}"} if artifact.family else set()
    maker = {f"maker={artifact.provider}"} if artifact.provider else set()
    return family | maker | _makers(artifact) | _kinds(artifact)


def _makers(artifact: Artifact) -> set[str]:
    """Return the beginnings of a provider's name: it is mostly called by the first."""
    words = re.findall(r"[^\W_]+", (artifact.provider or "").casefold())
    return {f"provider={''.join(words[:end])}" for end in range(1, len(words) + 1)}


def _kinds(artifact: Artifact) -> set[str]:
    """Return the words by which an artifact says what it is, or what it does."""
    names = (each.name for each in artifact.capabilities)
    text = " ".join([*artifact.tags, *artifact.categories, *names])
    return {f"kind={word}" for word in re.findall(r"[^\W_]+", text.casefold())}


class Claims:
    """The claims of one generation: which artifacts state what."""

    def __init__(self, folder: Path, catalog: Catalog) -> None:
        """Open what `join` wrote for `catalog`."""
        content: dict[str, Any] = json.loads((folder / FILE).read_bytes())
        self.size = len(catalog)
        self._catalog = catalog
        # A plain array over the mapped file: slices of a memmap cost ten times more.
        flat = np.asarray(np.load(folder / POSITIONS, mmap_mode="r"))
        starts = [0, *content["ends"]][:-1]
        self._positions: dict[str, NDArray[np.int32]] = {
            key: flat[start:end]
            for key, start, end in zip(
                content["claims"], starts, content["ends"], strict=True
            )
        }
        self._fields: dict[str, list[str]] = {}
        for key in content["claims"]:
            self._fields.setdefault(key.partition("=")[0], []).append(key)
        table = np.load(folder / FIGURES, mmap_mode="r")
        self._figures = dict(zip(content["figures"], table, strict=True))
        self.status = lru_cache(maxsize=REMEMBERED)(self._status)
        self._counts = lru_cache(maxsize=REMEMBERED)(self._count)
        self._own = lru_cache(maxsize=REMEMBERED)(self._own_of)
        self.known = lru_cache(maxsize=REMEMBERED)(self._known)

    def with_claim(self, claim: str) -> NDArray[np.int32]:
        """Return the positions of the artifacts that state `claim`, ascending."""
        return self._positions.get(claim, np.zeros(0, dtype=np.int32))

    def values(self, field: str) -> dict[str, NDArray[np.int32]]:
        """Return the values that are stated in `field`, each with its positions."""
        return {
            claim.partition("=")[2]: self.with_claim(claim)
            for claim in self._of((field,))
        }

    @cached_property
    def families(self) -> dict[int, str]:
        """The family of each artifact that is of one, by position."""
        return {
            int(position): claim.partition("=")[2]
            for claim in self._of(("family",))
            for position in self.with_claim(claim)
        }

    def _known(self, field: str) -> NDArray[np.bool_]:
        """Return which artifacts state anything in `field`, as `known` remembers it.

        Not to be written to.
        """
        known = self._any(self._of((field,)))
        known.flags.writeable = False
        return known

    def _any(self, claims: tuple[str, ...] | list[str]) -> NDArray[np.bool_]:
        found = np.zeros(self.size, dtype=np.bool_)
        for each in claims:
            found[self.with_claim(each)] = True
        return found

    def overlap(
        self, field: str, position: int, among: NDArray[np.integer] | None = None
    ) -> NDArray[np.float64]:
        """Return how much of a field the artifacts of `among`, or all, share with one.

        The Jaccard index of their values, in [0, 1]; .5 where either is unknown.
        """
        among = np.arange(self.size) if among is None else among
        own = self._own(field, position)
        shared = np.zeros(len(among))
        for claim in own:
            positions = self.with_claim(claim)
            shared += positions.searchsorted(among, "right")
            shared -= positions.searchsorted(among)
        every = self._counts(field)[among]
        known = (every > 0) & bool(own)
        overlap = shared / np.maximum(every + len(own) - shared, 1)
        return np.where(known, overlap, 0.5)

    def _own_of(self, field: str, position: int) -> tuple[str, ...]:
        """Return what the record of one artifact claims in a field."""
        artifact = self._catalog.at(position)
        claims = stated(artifact) | _others(artifact)
        return tuple(each for each in claims if each.startswith(f"{field}="))

    def _count(self, field: str) -> NDArray[np.float64]:
        """Return how many values each artifact has in `field`."""
        counts = np.zeros(self.size)
        for claim in self._of((field,)):
            counts[self.with_claim(claim)] += 1
        return counts

    def _status(self, rule: Rule) -> Statuses:
        """Return whether each artifact meets `rule`, as `status` remembers it.

        Facts decide first, then figures, then what sentences say. Not to be written to.
        """
        statuses = self._by_sentences(rule)
        stated = self._by_facts(rule)
        statuses[stated != UNKNOWN] = stated[stated != UNKNOWN]
        statuses.flags.writeable = False
        return statuses

    def _by_facts(self, rule: Rule) -> Statuses:
        met = self._any(rule.met)
        statuses = np.zeros(self.size, dtype=np.int8)
        if rule.closed:
            known = self._any(self._of(rule.closed))
            statuses[known & ~self._any(rule.open)] = VIOLATED
        if rule.cloud_only:
            statuses[self._any(CLOUD) & ~self._any(LOCAL)] = VIOLATED
        statuses[self._any(rule.broken)] = VIOLATED
        if rule.only:
            statuses[~self._any(rule.only)] = VIOLATED
        if rule.bound:
            name, low, high = rule.bound
            values = self._figures.get(name, np.full(self.size, np.nan))
            statuses[(values < low) | (values > high)] = VIOLATED
            statuses[(values >= low) & (values <= high)] = SATISFIED
        statuses[met] = SATISFIED
        if not rule.negated:
            return statuses
        if rule.name in LISTS:
            own = set(rule.met)
            others = rule.left or tuple(set(self._of((rule.name,))) - own)
            left = self._any(others)
            statuses[:] = UNKNOWN
            statuses[met] = VIOLATED
            statuses[left] = SATISFIED
            return statuses
        return -statuses

    def _by_sentences(self, rule: Rule) -> Statuses:
        claim = f"{rule.name}={rule.value}"
        statuses = np.zeros(self.size, dtype=np.int8)
        statuses[self.with_claim(f"denies {claim}")] = VIOLATED
        statuses[self.with_claim(f"says {claim}")] = SATISFIED
        # That something runs in a cloud does not say that it runs nowhere else.
        return np.zeros_like(statuses) if rule.negated else statuses

    def _of(self, fields: tuple[str, ...]) -> list[str]:
        return [claim for name in fields for claim in self._fields.get(name, ())]
