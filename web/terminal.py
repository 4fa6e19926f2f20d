"""What commands print for people: 80 columns, colour only where a terminal shows it."""

import shutil
import textwrap
from collections.abc import Iterator

import click

from web.payload import JSON, asked, label, shown, stated

MAX_WIDTH = 100
"""Longer lines read badly however wide the terminal is."""


def answer(found: JSON) -> Iterator[str]:
    """Yield the lines of an answered search."""
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


def _wrapped(text: str, indent: str, lines: int | None = None) -> Iterator[str]:
    width = min(MAX_WIDTH, shutil.get_terminal_size().columns)
    yield from textwrap.wrap(
        text,
        width,
        initial_indent=indent,
        subsequent_indent=" " * len(indent),
        max_lines=lines,
        placeholder=" \u2026",
    )


def _tree(node: JSON, indent: str) -> Iterator[str]:
    yield click.style(f"{indent}{node['value']:+.4f}  {node['text']}", dim=True)
    for part in node.get("parts", ()):
        yield from _tree(part, indent + "  ")
