"""Types of the engine as the JSON of the API: the one module that knows both."""

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from index.artifact import Artifact, Capability
from index.events import OUTCOMES
from index.generation import Manifest
from search.alternatives import Alternatives
from search.alternatives import why as why_listed
from search.comparison import Comparison
from search.constraint import Checked, Constraint
from search.engine import Answer, Hit, Match
from search.evaluation import Evaluation
from search.explanation import Explanation
from search.graph import MatchGraph, Outcomes
from search.highlight import highlights
from search.learning import Learned
from search.listing import Page, Place, Sort
from search.need import Need
from search.rank import Component, Rank
from search.suggestion import Suggestion
from search.verdict import verdict

JSON = dict[str, Any]


def camel(name: str) -> str:
    """Return a snake-case name as camelCase."""
    head, *tail = name.split("_")
    return head + "".join(part.title() for part in tail)


def camelled(value: Any) -> Any:
    """Return `value` with the keys of all its objects as camelCase."""
    if isinstance(value, dict):
        return {camel(key): camelled(each) for key, each in value.items()}
    if isinstance(value, list):
        return [camelled(each) for each in value]
    return value


Standing = Callable[[str], Rank]
"""Gives the rank of an artifact by its slug."""


def answer(
    found: Answer,
    slugs: Sequence[str],
    standing: Standing,
    match: str | None,
    took_ms: float,
    *,
    explain: bool,
) -> JSON:
    """Return the answer to a search, as the API and `instead search --json` give it.

    `slugs` are the catalogue's, by position; `match` is None if nothing was logged.
    """
    hits = [hit(each, found.need, standing, explain=explain) for each in found.hits]
    return {
        "query": found.need.text,
        **degraded(found.need),
        "need": need(found.need, slugs),
        "matchId": match,
        "total": found.total,
        "facets": found.facets,
        "matches": hits,
        "nearest": nearest(found, standing),
        "hidden": [
            {**constraint(each.constraint), "count": each.count}
            for each in found.hidden
        ],
        "generation": found.generation,
        "tookMs": round(took_ms, 2),
    }


def degraded(asked: Need | None) -> JSON:
    """Return that words alone answer a need, and why; nothing where they do not."""
    if asked is None or asked.degraded is None:
        return {}
    why = f"This is found by words alone, not by meaning: {asked.degraded}."
    return {"degraded": True, "degradedWhy": why}


def need(asked: Need, slugs: Sequence[str]) -> JSON:
    """Return what was understood of a need."""
    return {
        "topic": asked.topic,
        "types": sorted(asked.types),
        "corrections": [
            {
                "text": each.word,
                "start": each.start,
                "end": each.end,
                "readAs": each.read_as,
            }
            for each in asked.corrections
        ],
        "constraints": [constraint(e) for e in asked.constraints if not e.excluded],
        "exclusions": [constraint(each) for each in asked.constraints if each.excluded],
        "anchors": [
            {
                "name": each.name,
                "slugs": [slugs[position] for position in each.positions],
                "text": each.text,
                "start": each.start,
                "end": each.end,
            }
            for each in asked.anchors
        ],
    }


def constraint(asked: Constraint) -> JSON:
    """Return a constraint or exclusion; its key flips its mode in a request."""
    return {
        "key": asked.key,
        "name": asked.name,
        "value": asked.value,
        "mode": asked.mode,
        "text": asked.text,
        "start": asked.start,
        "end": asked.end,
    }


def asked(constraint: JSON) -> str:
    """Return a constraint's payload in words: not deployment cloud."""
    value = str(constraint["value"]).replace("_", " ")
    text = f"{label(constraint['name'])} {value}"
    return f"not {text}" if constraint["key"].startswith("not-") else text


def checked(found: Checked) -> JSON:
    """Return whether a constraint is met, with what proves it, null if nothing does."""
    evidence = None
    if found.evidence is not None:
        evidence = {
            "field": camel(found.field or ""),
            "text": found.evidence,
            "source": found.source,
            "asOf": found.as_of.isoformat() if found.as_of else None,
        }
    return {
        "key": found.constraint.key,
        "name": found.constraint.name,
        "value": found.constraint.value,
        "mode": found.constraint.mode,
        "status": found.status,
        "evidence": evidence,
    }


def hit(found: Hit, asked: Need, standing: Standing, *, explain: bool) -> JSON:
    """Return one hit; `confidence` is null for an encoder without a calibration."""
    content = {
        "position": found.position,
        "artifact": summary(found.artifact, standing(found.artifact.slug)),
        "score": found.score,
        "confidence": found.confidence,
        "capabilities": [match(each, asked) for each in found.matches],
        "constraints": [checked(each) for each in found.checked],
        "why": why(found),
    }
    if explain:
        content["explanation"] = explanation(found.explanation)
    return content


def nearest(found: Answer, standing: Standing) -> JSON | None:
    """Return the nearest miss where nothing fits, with the need's words it lacks."""
    if found.nearest is None:
        return None
    content = hit(found.nearest, found.need, standing, explain=False)
    return {**content, "lacks": list(found.lacks)}


def summary(artifact: Artifact, rank: Rank) -> JSON:
    """Return an artifact as a hit shows it."""
    return {
        "slug": artifact.slug,
        "name": artifact.name,
        "type": artifact.type,
        "url": artifact.url,
        "provider": artifact.provider,
        "summary": artifact.summary,
        "license": artifact.license,
        "pricing": pricing(artifact),
        "rank": interval(rank),
        "pageUrl": f"/artifact/{artifact.slug}",
    }


def interval(known: Rank | Component) -> JSON | None:
    """Return a value with its interval, one decimal of a rank; null if unknown."""
    if known.value is None or known.low is None or known.high is None:
        return None
    digits = 1 if isinstance(known, Rank) else 3
    low, high = round(known.low, digits), round(known.high, digits)
    return {"value": round(known.value, digits), "low": low, "high": high}


def rank(known: Rank) -> JSON:
    """Return a rank with all its components; what is unknown has null values."""
    shares = dict(known.parts())
    unknown = {"value": None, "low": None, "high": None}
    return {
        **(interval(known) or unknown),
        "version": known.version,
        "components": [
            {
                "name": each.name,
                **(interval(each) or unknown),
                "n": round(each.n, 2),
                "weight": each.weight,
                "adds": round(shares[each.name], 1) if each.name in shares else None,
                "sources": [
                    {
                        "text": source.text,
                        "url": source.address,
                        "asOf": source.as_of.isoformat() if source.as_of else None,
                    }
                    for source in each.sources
                ],
            }
            for each in known.components
        ],
    }


def pricing(artifact: Artifact) -> JSON | None:
    """Return an artifact's pricing, unknown parts left out."""
    if artifact.pricing is None:
        return None
    content: JSON = camelled(artifact.pricing.model_dump(exclude_none=True))
    return content


def match(found: Match, asked: Need) -> JSON:
    """Return a capability that matched, with what of it is in the need's words."""
    return {
        "id": found.capability.id,
        "name": found.capability.name,
        "description": found.capability.description,
        "matchScore": found.score,
        "highlights": [
            {"field": each.field, "text": each.text, "spans": [*map(list, each.spans)]}
            for each in highlights(asked.sought, found.capability)
        ],
    }


def why(found: Hit) -> list[str]:
    """Return the sentences that say why `found` is shown."""
    best = found.matches[0]
    shares = {part.text: part for part in found.explanation.parts}
    sentences = [f"Its capability \u201c{best.capability.name}\u201d matches best."]
    for text, part in shares.items():
        if part.value > 0:
            share = part.value / best.score
            sentences.append(f"{share:.0%} of its score is {text}.")
    if found.told is not None:
        sentences.append(
            f"{found.told.worked} of {found.told.n} who needed something like this "
            "said it worked."
        )
    if found.confidence is not None:
        sentences.append(
            f"On judged needs, hits like it were the right one "
            f"{found.confidence * 100:.0f} times in 100."
        )
    return sentences


def explanation(tree: Explanation) -> JSON:
    """Return an explanation tree; the values of its leaves add up to the root's."""
    content: JSON = {"value": tree.value, "text": tree.text}
    if tree.parts:
        content["parts"] = [explanation(part) for part in tree.parts]
    return content


def artifact(found: Artifact, standing: Rank, came: Outcomes) -> JSON:
    """Return everything known of an artifact, unknown left out; and what came of it."""
    content = found.model_dump(mode="json", exclude={"meta"}, exclude_defaults=True)
    evidence = content.pop("evidence", {})
    facts = content.pop("facts", {})
    return {
        **camelled(content),
        "facts": camelled(facts),
        "evidence": camelled(evidence),
        "rank": rank(standing),
        "outcomes": outcomes(came),
        "pageUrl": f"/artifact/{found.slug}",
    }


def outcomes(found: Outcomes) -> JSON:
    """Return how often each outcome came about; `success` is null if nobody said."""
    success = found.success()
    counts = {each: found.counts[each] for each in OUTCOMES if each != "unmet"}
    return {**counts, "success": success._asdict() if success else None}


def capability(found: Capability) -> JSON:
    """Return a capability with all that its record says, unknown left out."""
    content: JSON = camelled(found.model_dump(mode="json", exclude_defaults=True))
    return content


def comparison(found: Comparison, slugs: Sequence[str], generation: str) -> JSON:
    """Return two artifacts side by side; everything else renders this."""
    a, b = found.a.artifact, found.b.artifact
    known = found.head_to_head
    return {
        "a": {**summary(a, found.a.rank), "rank": rank(found.a.rank)},
        "b": {**summary(b, found.b.rank), "rank": rank(found.b.rank)},
        "need": need(found.need, slugs) if found.need else None,
        "query": found.need.text if found.need else None,
        **degraded(found.need),
        "rows": [
            {
                "name": camel(each.name),
                "a": cell(each.a),
                "b": cell(each.b),
                "lead": each.lead,
                "ordered": each.ordered,
            }
            for each in found.rows
        ],
        "capabilities": {
            "both": [
                {
                    "a": capability(each.a),
                    "b": capability(each.b),
                    "similarity": round(each.similarity, 4),
                    "likelihood": round(each.likelihood, 4),
                    "differs": [asdict(one) for one in each.differs],
                    "contradictions": [asdict(one) for one in each.contradictions],
                }
                for each in found.both
            ],
            "onlyA": [capability(each) for each in found.only_a],
            "onlyB": [capability(each) for each in found.only_b],
        },
        "verdict": {"lead": found.lead, "sentences": verdict(found)},
        "evidence": {
            "headToHead": {"a": known.a, "b": known.b, "n": known.n},
            "claims": [asdict(each) for each in found.claims],
            "weightings": ahead(found),
        },
        "next": further(found),
        "generation": generation,
    }


def cell(value: Any) -> Any:
    """Return a value of a comparison's row."""
    if isinstance(value, Component):
        known = interval(value)
        return {**known, "n": round(value.n, 2)} if known else None
    if isinstance(value, Rank):
        return interval(value)
    return list(value) if isinstance(value, tuple) else value


def ahead(found: Comparison) -> JSON | None:
    """Return for which share of weightings each is ahead; null if none can be told."""
    if found.ahead is None:
        return None
    return found.ahead._asdict()


def further(found: Comparison) -> JSON:
    """Return the search for something different: the need kept, both not quite it."""
    artifacts = found.a.artifact, found.b.artifact
    if found.need is None:
        query = f"like {artifacts[0].name} or {artifacts[1].name}"
    else:
        query = found.need.text
    keys = [f"not-artifact:{each.slug}" for each in artifacts]
    address = urlencode([("q", query), *(("must", key) for key in keys)])
    return {"query": query, "must": keys, "url": f"/search?{address}"}


def alternatives(
    found: Alternatives, slugs: Sequence[str], standing: Standing, generation: str
) -> JSON:
    """Return what to use instead of an artifact, each with what it keeps and costs."""
    own = found.artifact
    return {
        "artifact": summary(own, standing(own.slug)),
        "need": need(found.need, slugs) if found.need else None,
        "query": found.need.text if found.need else None,
        **degraded(found.need),
        "alternatives": [
            {
                "artifact": summary(each.artifact, standing(each.artifact.slug)),
                "score": round(each.score, 4),
                "parts": {name: round(part, 4) for name, part in each.parts.items()},
                "kept": [
                    {"from": one.name, "fromId": one.id, "to": two.name, "toId": two.id}
                    for one, two in each.kept
                ],
                "lost": [{"id": one.id, "name": one.name} for one in each.lost],
                "gained": [{"id": one.id, "name": one.name} for one in each.gained],
                "constraints": [checked(one) for one in each.checked],
                "why": why_listed(each, own),
                "variants": [
                    {"slug": one.slug, "name": one.name} for one in each.variants
                ],
                "compareUrl": f"/compare/{own.slug}-vs-{each.artifact.slug}",
            }
            for each in found.found
        ],
        "generation": generation,
    }


def resolved(
    found: Answer,
    others: Sequence[Alternatives],
    standing: Standing,
    match: str | None,
    at: datetime,
) -> JSON:
    """Return what a need comes down to; `others` are the alternatives to each hit."""
    return {
        "intent": found.need.text,
        **degraded(found.need),
        "resolved": [
            {
                "artifact": summary(hit.artifact, standing(hit.artifact.slug)),
                "capability": {
                    "id": hit.matches[0].capability.id,
                    "name": hit.matches[0].capability.name,
                    "description": hit.matches[0].capability.description,
                },
                "whyThisMatches": " ".join(why(hit)),
                "alternatives": [
                    {
                        "slug": each.artifact.slug,
                        "name": each.artifact.name,
                        "whyAlternative": " ".join(why_listed(each, hit.artifact)),
                    }
                    for each in instead.found
                ],
                "matchConfidence": hit.confidence,
            }
            for hit, instead in zip(found.hits, others, strict=True)
        ],
        "resolveId": match,
        "resolvedAt": at.isoformat(timespec="milliseconds"),
        "generation": found.generation,
    }


def listing(page: Page, sort: Sort, standing: Standing, generation: str) -> JSON:
    """Return a page of all artifacts; `nextCursor` is null at the end."""
    return {
        "artifacts": [summary(each, standing(each.slug)) for each in page.artifacts],
        "nextCursor": cursor(sort, page.last) if page.last else None,
        "generation": generation,
    }


def cursor(sort: Sort, place: Place) -> str:
    """Return a place in an order as a word that means nothing to anybody else."""
    content = json.dumps([sort, *place], separators=(",", ":"))
    return urlsafe_b64encode(content.encode()).decode().rstrip("=")


def place(cursor: str, sort: Sort) -> Place:
    """Return the place that `cursor` made a word of; ValueError if it is of none."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        own, unknown, key, slug = json.loads(urlsafe_b64decode(padded))
    except (ValueError, TypeError, RecursionError):
        raise ValueError("is none that nextCursor gave") from None
    kind = str if sort == "name" else float
    if own != sort:
        raise ValueError(f"is of the sort {own!r}; begin again without it")
    if not (type(unknown) is bool and type(key) is kind and type(slug) is str):
        raise ValueError("is none that nextCursor gave")
    return Place(unknown, key, slug)


def stats(manifest: Manifest, graph: MatchGraph) -> JSON:
    """Return what is counted: the catalogue, the matches, what came of them."""
    return {
        "artifacts": manifest.counts["artifacts"],
        "capabilities": manifest.counts["capabilities"],
        "matches": graph.matches,
        "needs": len(graph.needs),
        "outcomes": graph.totals(),
        "unmet": [{"need": e.text, "matches": e.unmet} for e in graph.unmet()],
        "generation": manifest.id,
    }


COMPONENTS = {
    "adoption": "Figures of use with date and source, such as stars and downloads: the "
    "logarithm of each, over that of the greatest of its type. A figure counts for "
    "half as much each year.",
    "quality": "Of the artifact, never of its record: its licence (1 if open source, "
    "one half if restricted), documentation that the record names, and how long ago "
    "the last update was (1 within a year, one half within two).",
    "ecosystem": "How many other records name it, and how many others depend on it, "
    "on logarithmic scales.",
    "match": "What came of its hits: the mean of a Beta distribution over those who "
    "said that it worked or failed; what is half a year old counts for half.",
    "freshness": "1 for an update today, half of that for each year since. The longer "
    "ago the record was read, the further its interval reaches up.",
}
"""What each component of the rank is."""


def label(name: str) -> str:
    """Return a field's name for people: commercialUse is "commercial use"."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", name).lower()


def shown(value: Any) -> str:
    """Return a fact's value for people."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(shown, value))
    if isinstance(value, dict):
        return ", ".join(f"{label(key)} {shown(each)}" for key, each in value.items())
    if isinstance(value, float):
        return f"{value:,.10g}"
    return str(value)


def stated(found: JSON) -> JSON:
    """Return all that an artifact's payload states and that evidence can stand for."""
    others = {"license": found["license"]} if "license" in found else {}
    if price := found.get("pricing"):
        free = {True: "free", False: "not free"}.get(price.get("free"))
        said = (price.get("model"), free, price.get("startingPrice"))
        others["pricing"] = list(dict.fromkeys(filter(None, said)))
    return {**others, **found["facts"]}


def row_value(value: Any) -> str:
    """Return a value of a comparison's row for people."""
    if value is None:
        return "unknown"
    if isinstance(value, dict):
        digits = 2 if "n" in value else 1
        low, high = (f"{value[end]:.{digits}f}" for end in ("low", "high"))
        return f"{value['value']:.{digits}f} [{low}, {high}]"
    if isinstance(value, list):
        return ", ".join(str(each).replace("_", " ") for each in value) or "none"
    return shown(value).replace("_", " ") if isinstance(value, str) else shown(value)


def contradiction(found: JSON, names: Mapping[str, str]) -> str:
    """Return a limitation that the other denies of itself, in words."""
    other = names["b" if found["limited"] == "a" else "a"]
    limit, denial = (
        f"\u201c{found[each]}\u201d" for each in ("limitation", "sentence")
    )
    return f"{names[found['limited']]} states the limit {limit}, {other} says: {denial}"


def evidence_words(checked: JSON) -> str:
    """Return what proves a constraint's status, for people; "" if nothing does."""
    proof = checked["evidence"]
    return f" ({proof['text']})" if proof else ""


def summed(each: JSON) -> Iterator[tuple[str, list[str]]]:
    """Yield what an alternative keeps, loses and gains, each if there is any."""
    kept = [one["from"] for one in each["kept"]]
    for title, names in (
        ("kept", kept),
        ("lost", [one["name"] for one in each["lost"]]),
        ("gained", [one["name"] for one in each["gained"]]),
    ):
        if names:
            yield title, names


def generation(manifest: Manifest, *, current: bool) -> JSON:
    """Return a generation as `instead generations` lists it."""
    return {
        "id": manifest.id,
        "digest": manifest.digest,
        "current": current,
        "created": manifest.created,
        "encoder": manifest.encoder["name"],
        "bytes": sum(each["bytes"] for each in manifest.files.values()),
        **manifest.counts,
    }


def moved(manifest: Manifest, files: int, size: int, store: str) -> JSON:
    """Return a generation that was pushed or pulled, and what of it had to travel."""
    travelled = {"files": files, "bytes": size}
    return {**generation(manifest, current=True), "store": store, "moved": travelled}


def evaluation(found: Evaluation) -> JSON:
    """Return what was measured, the run left out."""
    content: JSON = camelled(
        {"needs": found.needs, "results": [asdict(each) for each in found.results]}
    )
    return content


def lesson(found: Learned) -> JSON:
    """Return what an adapter learned from, and how it does on needs held back."""
    content: JSON = camelled(
        {
            "needs": found.needs,
            "held_back": found.held_back,
            "before": asdict(found.before),
            "after": asdict(found.after),
            "gain": asdict(found.gain),
        }
    )
    return content


def suggestion(found: Suggestion) -> JSON:
    """Return what somebody who is still typing may mean."""
    return {
        "query": found.text,
        "completions": [
            {"text": each.text, "slug": each.slug} for each in found.completions
        ],
        "didYouMean": found.did_you_mean,
    }


def problem(status: int, title: str, detail: str) -> JSON:
    """Return an error as RFC 9457 wants it; `detail` says what to do."""
    return {"type": "about:blank", "status": status, "title": title, "detail": detail}
