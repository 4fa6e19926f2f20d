"""Artifacts and capabilities: the records of the catalogue, and what they must be."""

import re
from datetime import date
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
)

Type = Literal[
    "agent",
    "api",
    "app",
    "benchmark",
    "cli",
    "dataset",
    "extension",
    "finetune",
    "framework",
    "mcp",
    "model",
    "platform",
    "product",
    "prompt",
    "repo",
    "skill",
    "template",
    "webapp",
    "workflow",
]
TYPES: tuple[str, ...] = get_args(Type)


_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]|[\ud800-\udfff]")


def _plain(text: str) -> str:
    """Return `text` trimmed; control characters would reach terminals and pages."""
    text = text.strip()
    if not text:
        raise ValueError("is empty")
    # What is printable has none: nearly every text, told at once.
    if not text.isprintable() and (found := _CONTROL.search(text)):
        if found[0] >= "\ud800":
            raise ValueError("contains half a surrogate pair")
        raise ValueError(f"contains the control character U+{ord(found[0]):04X}")
    return text


def _web_address(text: str) -> str:
    if not re.match(r"https?://[^\s/]+", text) or re.search(r"[\s<>\"]", text):
        raise ValueError("should be an http:// or https:// address")
    return text


def _known(value: object) -> object:
    """Return None for an empty string: it says no more than an absent field."""
    return None if value == "" else value


Text = Annotated[str, AfterValidator(_plain)]
Url = Annotated[Text, AfterValidator(_web_address)]
OptionalText = Annotated[Text | None, BeforeValidator(_known)]
OptionalUrl = Annotated[Url | None, BeforeValidator(_known)]
Slug = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=200)
]
Texts = tuple[Text, ...]


class _Record(BaseModel):
    """A frozen record; what is absent is unknown, never zero and never "no"."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)


class Capability(_Record):
    """One thing an artifact can do."""

    id: Slug | None = None
    name: Text
    description: Text
    unique: OptionalText = None
    vs_alternatives: OptionalText = None
    intents: Texts = ()
    best_for: Texts = ()
    limitations: Texts = ()
    requires: Texts = ()
    inputs: Texts = ()
    outputs: Texts = ()
    source: OptionalUrl = None


class Pricing(_Record):
    """What it costs."""

    model: Literal["open_source", "free", "freemium", "paid"] | None = None
    free: bool | None = None
    starting_price: OptionalText = None


class Facts(_Record):
    """Statements that a constraint can be checked against; further ones are kept."""

    model_config = ConfigDict(extra="allow")

    deployment: Texts | None = None
    offline: bool | None = None
    commercial_use: bool | None = None
    inputs: Texts | None = None
    outputs: Texts | None = None
    languages: Texts | None = None
    parameters: Annotated[float, Field(ge=0)] | None = None
    min_memory_gb: Annotated[float, Field(ge=0)] | None = None


class Evidence(_Record):
    """Where a fact stands, and the day it was read there."""

    source: Url
    as_of: date | None = None


class Signal(_Record):
    """A figure such as stars or downloads; undated or unsourced it proves nothing."""

    name: Text
    value: Annotated[float, Field(ge=0)]
    as_of: date | None = None
    source: OptionalUrl = None


class Artifact(_Record):
    """One thing one can choose: it has a type, facts, signals and capabilities."""

    slug: Slug
    name: Text
    type: Type
    capabilities: Annotated[tuple[Capability, ...], Field(min_length=1)]
    provider: OptionalText = None
    summary: OptionalText = None
    url: OptionalUrl = None
    repository: OptionalUrl = None
    license: OptionalText = None
    family: Slug | None = None
    pricing: Pricing | None = None
    categories: Texts = ()
    tags: Texts = ()
    updated_at: date | None = None
    facts: Facts = Facts()
    evidence: dict[str, Evidence] = {}
    signals: tuple[Signal, ...] = ()
    sources: tuple[Url, ...] = ()
    meta: dict[str, Any] = {}
