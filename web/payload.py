"""Types of the engine as the JSON of the API: the one module that knows both."""

import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from index.artifact import Artifact
from index.events import OUTCOMES
from index.generation import Manifest
from search.constraint import Checked, Constraint
from search.engine import Answer, Hit, Match
from search.evaluation import Evaluation
from search.explanation import Explanation
from search.graph import MatchGraph, Outcomes
from search.highlight import highlights
from search.learning import Learned
from search.need import Need
from search.suggestion import Suggestion

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


def answer(
    found: Answer,
    slugs: Sequence[str],
    match: str | None,
    took_ms: float,
    *,
    explain: bool,
) -> JSON:
    """Return the answer to a search, as the API and `instead search --json` give it.

    `slugs` are the catalogue's, by position; `match` is None if nothing was logged.
    """
    return {
        "query": found.need.text,
        "need": need(found.need, slugs),
        "matchId": match,
        "total": found.total,
        "facets": {"type": found.types},
        "matches": [hit(each, found.need, explain=explain) for each in found.hits],
        "nearest": nearest(found),
        "hidden": [
            {**constraint(each.constraint), "count": each.count}
            for each in found.hidden
        ],
        "generation": found.generation,
        "tookMs": round(took_ms, 2),
    }


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


def hit(found: Hit, asked: Need, *, explain: bool) -> JSON:
    """Return one hit; `confidence` is null for an encoder without a calibration."""
    content = {
        "position": found.position,
        "artifact": summary(found.artifact),
        "score": found.score,
        "confidence": found.confidence,
        "capabilities": [match(each, asked) for each in found.matches],
        "constraints": [checked(each) for each in found.checked],
        "why": why(found),
    }
    if explain:
        content["explanation"] = explanation(found.matches[0].explanation)
    return content


def nearest(found: Answer) -> JSON | None:
    """Return the nearest miss where nothing fits, with the need's words it lacks."""
    if found.nearest is None:
        return None
    content = hit(found.nearest, found.need, explain=False)
    return {**content, "lacks": list(found.nearest.lacks)}


def summary(artifact: Artifact) -> JSON:
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
        "rank": None,
        "pageUrl": f"/artifact/{artifact.slug}",
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
    shares = {part.text: part for part in best.explanation.parts}
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


def artifact(found: Artifact, came: Outcomes) -> JSON:
    """Return everything known of an artifact, unknown left out; and what came of it."""
    content = found.model_dump(mode="json", exclude={"meta"}, exclude_defaults=True)
    evidence = content.pop("evidence", {})
    facts = content.pop("facts", {})
    return {
        **camelled(content),
        "facts": camelled(facts),
        "evidence": camelled(evidence),
        "rank": None,
        "outcomes": outcomes(came),
        "pageUrl": f"/artifact/{found.slug}",
    }


def outcomes(found: Outcomes) -> JSON:
    """Return how often each outcome came about; `success` is null if nobody said."""
    success = found.success()
    counts = {each: found.counts[each] for each in OUTCOMES if each != "unmet"}
    return {**counts, "success": success._asdict() if success else None}


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
    others = {name: found[name] for name in ("license", "pricing") if name in found}
    return {**others, **found["facts"]}


def generation(manifest: Manifest, *, current: bool) -> JSON:
    """Return a generation as `instead generations` lists it."""
    return {
        "id": manifest.id,
        "current": current,
        "created": manifest.created,
        "encoder": manifest.encoder["name"],
        "bytes": sum(each["bytes"] for each in manifest.files.values()),
        **manifest.counts,
    }


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
