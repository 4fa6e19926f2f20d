"""How large a figure is: each signal on a logarithmic scale within its type."""

import json
import math
from collections.abc import Iterable
from pathlib import Path

from index.artifact import Signal
from index.catalog import Catalog

FILE = "scales.json"

PEERS = 5
"""Artifacts of a type with a signal from which on the type has a scale of its own."""


def build(catalog: Catalog, folder: Path) -> None:
    """Write the greatest value of every signal, by type and over all."""
    values: dict[str, dict[str, list[float]]] = {}
    for artifact in catalog.values():
        for name, signal in newest(artifact.signals).items():
            for kind in (artifact.type, ""):
                values.setdefault(kind, {}).setdefault(name, []).append(signal.value)
    content = {
        kind: {
            name: max(each)
            for name, each in sorted(by_name.items())
            if len(each) >= PEERS or not kind
        }
        for kind, by_name in sorted(values.items())
    }
    (folder / FILE).write_text(json.dumps(content), encoding="utf-8")


def newest(signals: Iterable[Signal]) -> dict[str, Signal]:
    """Return the latest signal of each name that has a date and a source."""
    found: dict[str, Signal] = {}
    for each in signals:
        if each.as_of is None or each.source is None:
            continue  # it proves nothing
        before = found.get(each.name)
        if before is None or (before.as_of is not None and before.as_of < each.as_of):
            found[each.name] = each
    return found


class Scales:
    """The scales of one catalogue."""

    def __init__(self, folder: Path) -> None:
        """Open what `build` wrote to `folder`."""
        self._tops: dict[str, dict[str, float]] = json.loads(
            (folder / FILE).read_bytes()
        )

    def share(self, kind: str, signal: Signal) -> float:
        """Return log(1 + value) over that of the greatest, in [0, 1].

        The greatest of the artifacts of the same type if enough of them have the
        signal, else of all.
        """
        own = self._tops.get(kind, {})
        top = own.get(signal.name) or self._tops.get("", {}).get(signal.name, 0.0)
        return min(1.0, math.log1p(signal.value) / math.log1p(top)) if top else 0.0
