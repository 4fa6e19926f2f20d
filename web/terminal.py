"""What commands print for people: 80 columns, colour only where a terminal shows it."""

import shlex
import shutil
import textwrap
from collections.abc import Iterator
from itertools import zip_longest

import click

from web.payload import (
    JSON,
    asked,
    contradiction,
    evidence_words,
    label,
    row_value,
    shown,
    stated,
    summed,
)

MAX_WIDTH = 100
"""Longer lines read badly however wide the terminal is."""


def answer(found: JSON) -> Iterator[str]:
    """Yield the lines of an answered search."""
    yield from _degraded(found)
    if not found["matches"]:
        yield f"Nothing here fits \u201c{found['query']}\u201d."
        if found["nearest"]:
            yield from _wrapped(near(found["nearest"]), "")
        yield from _understood(found)
        return
    for word in found["need"]["corrections"]:
        yield f"Read \u201c{word['text']}\u201d as \u201c{word['readAs']}\u201d."
    yield from _understood(found)
    for hit in found["matches"]:
        artifact = hit["artifact"]
        name = click.style(artifact["name"], bold=True)
        facts = [artifact["type"], artifact["provider"], artifact["license"]]
        detail = click.style(" \u00b7 ".join(filter(None, facts)), dim=True)
        yield f"{hit['position']:>2}  {name}  {detail}  {hit['score']:.3f}"
        best = hit["capabilities"][0]
        yield from _wrapped(f"{best['name']}: {best['description']}", "    ", 3)
        yield f"    {click.style('instead show ' + artifact['slug'], dim=True)}"
        for each in hit["constraints"]:
            proof = each["evidence"]
            text = f"{MARKS[each['status']]} {asked(each)}"
            text += f": {proof['text']}" if proof else ""
            yield from _wrapped(text, "    ", 2)
        if "explanation" in hit:
            yield from _tree(hit["explanation"], "    ")
        yield ""
    shown, total = len(found["matches"]), found["total"]
    took = click.style(f"({found['tookMs']:.0f} ms)", dim=True)
    yield f"{shown} of {total} artifacts, generation {found['generation']} {took}"


def _degraded(found: JSON) -> Iterator[str]:
    if "degraded" in found:
        yield from _wrapped(found["degradedWhy"], "")


MARKS = {"satisfied": "\u2713", "unknown": "?", "violated": "\u2717"}


def _understood(found: JSON) -> Iterator[str]:
    """Yield what was read besides the topic, and what a must-have keeps out."""
    read = [*found["need"]["constraints"], *found["need"]["exclusions"]]
    if read or found["need"]["anchors"]:
        parts = [f"{asked(each)} ({each['mode']})" for each in read]
        parts += [f"like {each['name']}" for each in found["need"]["anchors"]]
        topic = found["need"]["topic"]
        yield from _wrapped(f"Read as \u201c{topic}\u201d; {'; '.join(parts)}", "", 3)
    for each in found["hidden"]:
        yield f"{each['count']} more violate {asked(each)}."
    if read or found["hidden"]:
        yield ""


def near(found: JSON) -> str:
    """Return the sentence that names the nearest miss and what it lacks."""
    name, capability = found["artifact"]["name"], found["capabilities"][0]["name"]
    sentence = f"The nearest is {name} (\u201c{capability}\u201d)"
    lacks = ", ".join(f"\u201c{word}\u201d" for word in found["lacks"])
    return f"{sentence}, which says nothing of {lacks}." if lacks else f"{sentence}."


def artifact(found: JSON) -> Iterator[str]:
    """Yield the lines that show one artifact."""
    yield click.style(found["name"], bold=True)
    facts = [found["type"], found.get("provider"), found.get("license"), found["slug"]]
    yield click.style(" \u00b7 ".join(filter(None, facts)), dim=True)
    if "summary" in found:
        yield from _wrapped(found["summary"], "")
    for name in ("url", "repository", "family", "updatedAt"):
        if name in found:
            yield f"{label(name):>20}  {found[name]}"
    for name, value in stated(found).items():
        source = found["evidence"].get(name, {}).get("source", "")
        line = f"{label(name):>20}  {shown(value)}"
        yield f"{line}  {click.style(source, dim=True)}" if source else line
    for signal in found.get("signals", ()):
        dated = f"as of {signal['asOf']}" if "asOf" in signal else "undated"
        yield f"{label(signal['name']):>20}  {shown(signal['value'])}  {dated}"
    came = {k: v for k, v in found["outcomes"].items() if k != "success" and v}
    if came:
        counts = ", ".join(f"{name} {count}" for name, count in came.items())
        yield f"{'outcomes':>20}  {counts}"
    for each in found["capabilities"]:
        yield ""
        yield from _capability(each)


LABELS = {
    "unique": "Unique",
    "vsAlternatives": "Against others",
    "bestFor": "Best for",
    "limitations": "Limit",
    "requires": "Requires",
}
"""What a person reads for a field of a capability."""


def _capability(found: JSON) -> Iterator[str]:
    yield click.style(found["name"], bold=True)
    yield from _wrapped(found["description"], "  ")
    for field, title in LABELS.items():
        texts = found.get(field, [])
        for text in [texts] if isinstance(texts, str) else texts:
            yield from _wrapped(f"{title}: {text}", "  ")


COLUMN = 22
"""Width of the names of rows."""


def comparison(found: JSON) -> Iterator[str]:
    """Yield a comparison: verdict, features, capabilities, and what to ask next."""
    a, b = found["a"], found["b"]
    names = [click.style(side["name"], bold=True) for side in (a, b)]
    yield f"{names[0]}  and  {names[1]}"
    if found["query"]:
        yield from _wrapped(f"For the need: {found['query']}", "")
        yield from _degraded(found)
    yield ""
    for sentence in found["verdict"]["sentences"]:
        yield from _wrapped(sentence, "  ", first="- ")
    yield ""
    yield from _features(found)
    yield from _aligned(found)
    if found["evidence"]["claims"]:
        yield ""
        yield click.style("What they say of each other", dim=True)
        for claim in found["evidence"]["claims"]:
            source = claim["source"] or "uncited"
            yield from _wrapped(f"{claim['by']}: {claim['text']} ({source})", "  ")
    yield ""
    yield "Need something different?"
    keys = " ".join(f"--must {key}" for key in found["next"]["must"])
    yield f"  instead search {shlex.quote(found['next']['query'])} {keys}"


def _aligned(found: JSON) -> Iterator[str]:
    names = {side: found[side]["name"] for side in "ab"}
    for pair in found["capabilities"]["both"]:
        yield ""
        yield click.style(f"Both, similarity {pair['similarity']:.2f}", dim=True)
        for side, name in names.items():
            yield from _wrapped(f"{name}: {pair[side]['name']}", "  ")
        for each in pair["contradictions"]:
            yield from _wrapped(contradiction(each, names), "    ")
    for side, only in (("a", "onlyA"), ("b", "onlyB")):
        if found["capabilities"][only]:
            yield ""
            title = f"Only {names[side]}, without a clear counterpart"
            yield click.style(title, dim=True)
            for each in found["capabilities"][only]:
                yield from _wrapped(each["name"], "  ")


def _features(found: JSON) -> Iterator[str]:
    width = (_width() - COLUMN) // 2
    marks = {"a": ("*", ""), "b": ("", "*")}
    head = [textwrap.shorten(found[side]["name"], width - 2) for side in "ab"]
    yield f"{'':{COLUMN}}{head[0]:{width}}{head[1]}".rstrip()
    for row in found["rows"]:
        marked = marks.get(row["lead"], ("", ""))
        cells = [
            textwrap.wrap(f"{row_value(row[side])} {mark}".strip(), width - 2) or [""]
            for side, mark in zip("ab", marked, strict=True)
        ]
        name = label(row["name"])
        for left, right in zip_longest(*cells, fillvalue=""):
            yield f"{name:{COLUMN}}{left:{width}}{right}".rstrip()
            name = ""
    yield click.style(
        "* ahead; no mark: a tie, unknown, or neither is better", dim=True
    )


def alternatives(found: JSON) -> Iterator[str]:
    """Yield what to use instead of an artifact, each with what it keeps and costs."""
    yield f"Instead of {click.style(found['artifact']['name'], bold=True)}"
    yield from _degraded(found)
    if found["need"]:
        yield from _understood({**found, "hidden": []})
    else:
        yield ""
    if not found["alternatives"]:
        yield "Nothing fits."
    for number, each in enumerate(found["alternatives"], start=1):
        artifact = each["artifact"]
        facts = [artifact["type"], artifact["provider"], artifact["license"]]
        detail = click.style(" \u00b7 ".join(filter(None, facts)), dim=True)
        name = click.style(artifact["name"], bold=True)
        yield f"{number:>2}  {name}  {detail}  {each['score']:.3f}"
        for sentence in each["why"]:
            yield from _wrapped(sentence, "    ")
        for title, names in summed(each):
            yield from _wrapped(f"{title}: {'; '.join(names)}", "    ", 2)
        for check in each["constraints"]:
            text = f"{MARKS[check['status']]} {asked(check)}{evidence_words(check)}"
            yield from _wrapped(text, "    ", 2)
        slugs = f"{found['artifact']['slug']} {artifact['slug']}"
        yield f"    {click.style('instead compare ' + slugs, dim=True)}"
        yield ""


def stats(found: JSON) -> Iterator[str]:
    """Yield what the event log says."""
    yield f"{found['matches']:,} matches of {found['needs']:,} needs"
    for name, count in found["outcomes"].items():
        yield f"{name:>12}  {count:,}"
    for each in found["unmet"]:
        yield f"nothing met \u201c{each['need']}\u201d, asked {each['matches']:,} times"


def learned(found: JSON) -> Iterator[str]:
    """Yield what was learned, how it was checked, and whether it is in use."""
    before, after, gain = (found[name] for name in ("before", "after", "gain"))
    yield (
        f"learned from {found['needs']:,} needs; on {found['heldBack']:,} held back "
        f"nDCG@10 {before['value']:.3f} -> {after['value']:.3f}"
    )
    yield (
        f"a difference of {gain['value']:+.3f} [{gain['low']:+.3f}, "
        f"{gain['high']:+.3f}]: {gain['wins']} better, {gain['losses']} worse"
    )
    if found["switched"]:
        yield f"generation {found['generation']} is in use"
    else:
        yield f"not switched: generation {found['generation']} stays in use"


def generations(found: list[JSON]) -> Iterator[str]:
    """Yield a line for each generation, the one in use marked."""
    for each in found:
        mark = "*" if each["current"] else " "
        size = f"{each['bytes'] / 1e6:,.0f} MB"
        counts = (
            f"{each['artifacts']:,} artifacts, {each['capabilities']:,} capabilities"
        )
        yield f"{mark} {each['id']}  {each['created']}  {counts}, {size}"


def moved(found: JSON, how: str) -> Iterator[str]:
    """Yield what a push or a pull came to; `how` says which way things went."""
    what = found["moved"]
    files = "1 file" if what["files"] == 1 else f"{what['files']:,} files"
    yield f"generation {found['id']} is in use; {files} {how}, {what['bytes']:,} bytes"
    yield f"digest {found['digest']}"


def evaluation(found: JSON) -> Iterator[str]:
    """Yield a table of systems and metrics, ours first."""
    metrics = list(found["results"][0]["metrics"])
    yield f"{found['needs']:,} needs; 95 % intervals by bootstrap"
    yield f"{'':<16}{'nDCG@10':<21}" + "".join(f"{name:>11}" for name in metrics[1:])
    for each in found["results"]:
        ndcg, *others = each["metrics"].values()
        interval = f"{ndcg['value']:.4f} [{ndcg['low']:.3f}, {ndcg['high']:.3f}]"
        rest = "".join(f"{other['value']:>11.4f}" for other in others)
        yield f"{each['system']:<16}{interval:<21}{rest}"
    for each in found["results"]:
        gain = each["difference"]
        if gain:
            yield (
                f"ours - {each['system']}: {gain['value']:+.4f} [{gain['low']:+.3f}, "
                f"{gain['high']:+.3f}], win/tie/loss {gain['wins']}/{gain['ties']}/"
                f"{gain['losses']}, p {gain['p']:.4f}"
            )


def _width() -> int:
    return min(MAX_WIDTH, shutil.get_terminal_size().columns)


def _wrapped(
    text: str, indent: str, lines: int | None = None, first: str | None = None
) -> Iterator[str]:
    yield from textwrap.wrap(
        text,
        _width(),
        initial_indent=indent if first is None else first,
        subsequent_indent=" " * len(indent),
        max_lines=lines,
        placeholder=" \u2026",
    )


def _tree(node: JSON, indent: str) -> Iterator[str]:
    yield click.style(f"{indent}{node['value']:+.4f}  {node['text']}", dim=True)
    for part in node.get("parts", ()):
        yield from _tree(part, indent + "  ")
