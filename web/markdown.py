"""Answers as Markdown, to be pasted into an issue or read by a program."""

import re
from collections.abc import Iterator, Mapping, Sequence

from web.payload import (
    COMPONENTS,
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


def escaped(text: str) -> str:
    """Return a person's or a record's text with nothing that Markdown would read."""
    return re.sub(r"([\\`*_{}\[\]<>#|~])", r"\\\1", " ".join(text.split()))


def link(artifact: JSON) -> str:
    """Return the name of an artifact, linked to its own address if it has one."""
    name = escaped(artifact["name"])
    address = re.sub(r"[()\s]", "", artifact["url"] or "")
    return f"[{name}]({address})" if address else name


def home(examples: Sequence[str], counts: Mapping[str, int]) -> Iterator[str]:
    """Yield what can be asked."""
    yield "# Need something different?"
    yield ""
    yield (
        f"{counts['artifacts']:,} artifacts, described by {counts['capabilities']:,} "
        "capabilities. Ask at `/search.md?q=...`, for instance:"
    )
    yield ""
    for example in examples:
        yield f"- {example}"


def answer(found: JSON) -> Iterator[str]:
    """Yield the artifacts that meet a need, each with its capability and checks."""
    yield f"# {escaped(found['query'])}"
    yield ""
    yield from _degraded(found)
    if not found["matches"]:
        yield "Nothing here fits this need."
        if near := found["nearest"]:
            best = near["capabilities"][0]["name"]
            yield f"The nearest is {link(near['artifact'])} ({escaped(best)})."
    for each in found["hidden"]:
        yield f"{each['count']} more violate {escaped(asked(each))}."
        yield ""
    for hit in found["matches"]:
        artifact = hit["artifact"]
        facts = [artifact["type"], artifact["provider"], artifact["license"]]
        detail = escaped(", ".join(filter(None, facts)))
        best = hit["capabilities"][0]
        yield f"{hit['position']}. **{link(artifact)}** ({detail}) `{artifact['slug']}`"
        yield f"   - {escaped(best['name'])}: {escaped(best['description'])}"
        for check in hit["constraints"]:
            proof = evidence_words(check)
            yield f"   - {escaped(asked(check))}: {check['status']}{escaped(proof)}"


def _degraded(found: JSON) -> Iterator[str]:
    if "degraded" in found:
        yield from (escaped(found["degradedWhy"]), "")


def artifact(found: JSON) -> Iterator[str]:
    """Yield everything known of an artifact."""
    yield f"# {escaped(found['name'])}"
    yield ""
    if "summary" in found:
        yield escaped(found["summary"])
        yield ""
    known = found["rank"]
    if known["value"] is not None:
        yield f"Rank {row_value(known)} of 100, by formula {known['version']}:"
        yield ""
        yield "| component | value | observations | weight | sources |"
        yield "|---|---|---|---|---|"
        for each in known["components"]:
            value = row_value(each if each["value"] is not None else None)
            sources = "; ".join(one["text"] for one in each["sources"])
            cells = [each["name"], value, f"{each['n']:g}", f"{each['weight']:.2f}"]
            yield f"| {' | '.join(map(escaped, [*cells, sources]))} |"
        yield ""
    for name, value in stated(found).items():
        proof = found["evidence"].get(name, {})
        source = f" ([source]({proof['source']}))" if proof else ""
        yield f"- {label(name)}: {escaped(shown(value))}{source}"
    for each in found["capabilities"]:
        yield from _headed(escaped(each["name"]))
        yield escaped(each["description"])
        for limit in each.get("limitations", ()):
            yield f"- Limit: {escaped(limit)}"


def graph(found: JSON) -> Iterator[str]:
    """Yield the shared needs with what answered them, and the unmet ones."""
    yield "# The match graph"
    yield ""
    yield f"{found['matches']:,} matches. Needs that {found['shared']} matches share:"
    yield ""
    for number, each in enumerate(found["needs"]):
        yield f"- {escaped(each['need'])}, asked {each['matches']} times"
        for edge in found["edges"]:
            if edge["need"] == number:
                name = escaped(found["artifacts"][edge["artifact"]]["name"])
                yield f"  - {name}: {told(edge)}"
    yield from _headed("Needs that nothing met")
    for each in found["unmet"]:
        yield f"- {escaped(each['need'])}, asked {each['matches']} times"
    if not found["unmet"]:
        yield "None is known."


def told(edge: JSON) -> str:
    """Return what came of an artifact for a need, in words."""
    names = ("shown", "chosen", "worked", "failed")
    return ", ".join(f"{name} {edge[name]}" for name in names if edge[name])


def quality(found: JSON) -> Iterator[str]:
    """Yield the measured relevance."""
    yield "# Measured relevance"
    yield ""
    yield f"{found['metric']}; measured {found['date']}."
    yield ""
    yield f"| {' | '.join(found['columns'])} |"
    yield "|" + "---|" * len(found["columns"])
    for row in found["rows"]:
        yield f"| {' | '.join(map(escaped, row))} |"


def rank(weights: Mapping[str, float], version: str) -> Iterator[str]:
    """Yield what the rank is made of."""
    yield "# Rank"
    yield ""
    yield f"Formula {version}. The mean of what is known, by weight:"
    yield ""
    yield "| component | weight | what it is |"
    yield "|---|---|---|"
    for name, weight in weights.items():
        yield f"| {name} | {weight:.2f} | {escaped(COMPONENTS[name])} |"


def comparison(found: JSON) -> Iterator[str]:
    """Yield a comparison: verdict, features, capabilities, and what to ask next."""
    a, b = found["a"], found["b"]
    yield f"# {escaped(a['name'])} and {escaped(b['name'])}"
    yield ""
    if found["query"]:
        yield f"For the need: {escaped(found['query'])}"
        yield ""
        yield from _degraded(found)
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
    yield from _degraded(found)
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
