"""Answers as Markdown, to be pasted into an issue or read by a program."""

import re
from collections.abc import Iterator

from web.payload import (
    JSON,
    asked,
    contradiction,
    evidence_words,
    label,
    row_value,
    summed,
)


def escaped(text: str) -> str:
    """Return a person's or a record's text with nothing that Markdown would read."""
    return re.sub(r"([\\`*_{}\[\]<>#|~])", r"\\\1", " ".join(text.split()))


def link(artifact: JSON) -> str:
    """Return the name of an artifact, linked to its own address if it has one."""
    name = escaped(artifact["name"])
    address = re.sub(r"[()\s]", "", artifact["url"] or "")
    return f"[{name}]({address})" if address else name


def comparison(found: JSON) -> Iterator[str]:
    """Yield a comparison: verdict, features, capabilities, and what to ask next."""
    a, b = found["a"], found["b"]
    yield f"# {escaped(a['name'])} and {escaped(b['name'])}"
    yield ""
    if found["query"]:
        yield f"For the need: {escaped(found['query'])}"
        yield ""
    for sentence in found["verdict"]["sentences"]:
        yield f"- {escaped(sentence)}"
    yield ""
    yield f"| | {link(a)} | {link(b)} | ahead |"
    yield "|---|---|---|---|"
    for row in found["rows"]:
        cells = [escaped(row_value(row[side])) for side in "ab"]
        yield f"| {label(row['name'])} | {' | '.join(cells)} | {lead(row, found)} |"
    yield from _aligned(found)
    if found["evidence"]["claims"]:
        yield from _headed("What they say of each other")
        for claim in found["evidence"]["claims"]:
            source = (
                f"([source]({claim['source']}))" if claim["source"] else "(uncited)"
            )
            yield f"- {escaped(claim['by'])}: {escaped(claim['text'])} {source}"
    yield ""
    yield f"Need something different? Search: {escaped(found['next']['query'])}"


def _aligned(found: JSON) -> Iterator[str]:
    names = {side: found[side]["name"] for side in "ab"}
    both = found["capabilities"]["both"]
    if both:
        yield from _headed("Both, at least in part")
        yield f"| {' | '.join(map(escaped, names.values()))} | similarity |"
        yield "|---|---|---|"
    for pair in both:
        cells = " | ".join(escaped(pair[side]["name"]) for side in "ab")
        yield f"| {cells} | {pair['similarity']:.2f} |"
    flagged = [each for pair in both for each in pair["contradictions"]]
    if flagged:
        yield ""
    for each in flagged:
        yield f"- {escaped(contradiction(each, names))}"
    for side, only in (("a", "onlyA"), ("b", "onlyB")):
        if found["capabilities"][only]:
            title = f"Only {escaped(names[side])}, without a clear counterpart"
            yield from _headed(title)
        for each in found["capabilities"][only]:
            yield f"- {escaped(each['name'])}"


def _headed(title: str) -> Iterator[str]:
    yield from ("", f"## {title}", "")


def lead(row: JSON, found: JSON) -> str:
    """Return who leads a row, in a word; nothing where neither can be better."""
    if row["lead"] in ("a", "b"):
        return escaped(found[row["lead"]]["name"])
    if not row["ordered"]:
        return "same" if row["lead"] == "tie" else ""
    return str(row["lead"])


def alternatives(found: JSON) -> Iterator[str]:
    """Yield what to use instead of an artifact, as a list."""
    name = escaped(found["artifact"]["name"])
    yield f"# Instead of {name}"
    if found["query"]:
        yield ""
        yield f"For the need: {escaped(found['query'])}"
    yield ""
    if not found["alternatives"]:
        yield "Nothing fits."
    for number, each in enumerate(found["alternatives"], start=1):
        artifact = each["artifact"]
        facts = [artifact["type"], artifact["provider"], artifact["license"]]
        detail = escaped(", ".join(filter(None, facts)))
        yield f"{number}. **{link(artifact)}** ({detail})"
        for sentence in each["why"]:
            yield f"   - {escaped(sentence)}"
        for title, names in summed(each):
            yield f"   - {title}: {escaped('; '.join(names))}"
        for check in each["constraints"]:
            proof = evidence_words(check)
            yield f"   - {escaped(asked(check))}: {check['status']}{escaped(proof)}"
