"""The verdict: sentences about two artifacts, each proved by the comparison's data.

A lead names its component, its size and its interval; a tie is called a tie; what is
unknown is called unknown; outcomes are quoted with their counts or not at all.
"""

from collections.abc import Iterable, Iterator

from search.comparison import Comparison, Side
from search.constraint import Checked
from search.rank import Component, Rank

NAMED = 3
"""Capabilities that a sentence names; of more it gives the number."""


SAID = {
    "free": ("can be had for free", "cannot"),
    "commercial_use": ("may be used commercially", "may not"),
    "offline": ("works offline", "does not"),
}
"""What a yes and a no to a question of fact are in words."""


def verdict(compared: Comparison) -> list[str]:
    """Return the sentences of a comparison, alike from either side."""
    a, b = compared.a.artifact, compared.b.artifact
    if a.slug > b.slug:
        return verdict(compared.mirrored())
    return [
        *_need(compared),
        *_rank(compared),
        *_components(compared),
        *_facts(compared),
        *_capabilities(compared),
        *_outcomes(compared),
    ]


def _need(compared: Comparison) -> Iterator[str]:
    need, a, b = compared.need, compared.a, compared.b
    if need is None or a.answered is None or b.answered is None:
        return
    asked = f"\u201c{need.text}\u201d"
    if compared.lead in ("a", "b"):
        first, second = (a, b) if compared.lead == "a" else (b, a)
        broken = second.answered.violated if second.answered else ()
        why = f", which violates {_listed(map(_words, broken))}" if broken else ""
        yield f"For {asked}, {_name(first)} fits better than {_name(second)}{why}."
    elif compared.lead == "tie":
        both = "neither fits" if a.answered.violated else "both fit alike"
        yield f"For {asked}, {both}: a tie."
    else:
        yield f"Which of the two fits {asked} better is unknown."
    for mine, other in zip(a.answered.checked, b.answered.checked, strict=True):
        yield _constraint(mine, other, a, b)
    if not need.said:
        return
    said = f"\u201c{need.said}\u201d" if need.said != need.text else "it"
    for side in (a, b):
        if side.answered is None or side.answered.capability is None:
            yield f"Nothing in {_name(side)} answers {said}."
            continue
        yield (
            f"Nearest to {said} in {_name(side)} is "
            f"\u201c{side.answered.capability.name}\u201d, "
            f"score {side.answered.score:.2f}."
        )


def _constraint(mine: Checked, other: Checked, a: Side, b: Side) -> str:
    asked = _words(mine)
    if mine.status == other.status:
        verbs = {"satisfied": "Both meet", "violated": "Both violate"}
        if mine.status in verbs:
            return f"{verbs[mine.status]} {asked}."
        return f"Whether either meets {asked} is unknown."
    parts = []
    for checked, side in ((mine, a), (other, b)):
        proof = f" ({_proof(checked)})" if checked.evidence else ""
        if checked.status == "unknown":
            parts.append(f"of {_name(side)} it is unknown")
        else:
            verb = "meets" if checked.status == "satisfied" else "violates"
            parts.append(f"{_name(side)} {verb} it{proof}")
    return f"{asked[0].upper()}{asked[1:]}: {', '.join(parts)}."


def _proof(checked: Checked) -> str:
    evidence = checked.evidence or ""
    return evidence if checked.field == "sentence" else evidence.replace("_", " ")


def _words(checked: Checked) -> str:
    constraint = checked.constraint
    text = f"{constraint.name} {constraint.value}".replace("_", " ")
    return f"not {text}" if constraint.excluded else text


def _rank(compared: Comparison) -> Iterator[str]:
    row = compared.row("rank")
    a, b = compared.a, compared.b
    if a.rank.value is None or b.rank.value is None:
        unknown = [_name(each) for each in (a, b) if each.rank.value is None]
        yield f"The rank of {_listed(unknown)} is unknown."
        return
    ranks = f"{_ranked(a)}, {_ranked(b)}"
    if row.lead == "tie":
        yield f"Their ranks are a tie, for the intervals overlap: {ranks}."
    else:
        first, second = (a, b) if row.lead == "a" else (b, a)
        size = (first.rank.value or 0) - (second.rank.value or 0)
        yield f"{_name(first)} ranks {size:.1f} higher: {ranks}."
    if compared.ahead is not None:
        count = compared.ahead.components
        leader, share = max(
            ((a, compared.ahead.a), (b, compared.ahead.b)), key=lambda each: each[1]
        )
        known = "component" if count == 1 else f"{count} components"
        if compared.ahead.a == compared.ahead.b:
            yield f"By the values alone, they are equal in the {known} known of both."
        else:
            often = "every" if share == 1 else f"{_percent(share)} of all"
            ways = "weighting" if share == 1 else "weightings"
            yield (
                f"By the values alone, {_name(leader)} is ahead for {often} {ways} of "
                f"the {known} known of both."
            )


def _percent(share: float) -> str:
    """Return a share, not rounded to all."""
    return f"{min(share, 0.999) * 100:.3g} %"


def _ranked(side: Side) -> str:
    return f"{_name(side)} {_valued(side.rank, 1, 1)}"


def _valued(known: Rank | Component, scale: float, digits: int) -> str:
    low, high = known.interval or (0.0, 0.0)
    value = known.value or 0.0
    low, high = low * scale, high * scale
    return f"{value * scale:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def _components(compared: Comparison) -> Iterator[str]:
    names = [each.name for each in compared.a.rank.components]
    rows = [compared.row(name) for name in names]
    for row in rows:
        if row.lead not in ("a", "b"):
            continue
        sides = (compared.a, compared.b)
        first, second = sides if row.lead == "a" else sides[::-1]
        better, worse = (row.a, row.b) if row.lead == "a" else (row.b, row.a)
        yield (
            f"{_name(first)} leads in {row.name} by "
            f"{better.value - worse.value:.2f}: {_valued(better, 1, 2)} against "
            f"{_valued(worse, 1, 2)} of {_name(second)}."
        )
    if ties := [row.name for row in rows if row.lead == "tie"]:
        yield f"They tie in {_listed(ties)}: the intervals overlap."
    unknown = [
        {each.name for each in side.rank.components if each.value is None}
        for side in (compared.a, compared.b)
    ]
    for whose, these in (
        ("both", unknown[0] & unknown[1]),
        (_name(compared.a), unknown[0] - unknown[1]),
        (_name(compared.b), unknown[1] - unknown[0]),
    ):
        if these:
            yield f"Unknown of {whose}: {_listed(n for n in names if n in these)}."


def _facts(compared: Comparison) -> Iterator[str]:
    """Yield what one is known to have and the other known not to."""
    a, b = compared.a, compared.b
    for name, (yes, no) in SAID.items():
        row = compared.row(name)
        if row.lead in ("a", "b"):
            first, second = (a, b) if row.lead == "a" else (b, a)
            yield f"{_name(first)} {yes}, {_name(second)} {no}."
    for name in ("deployment", "inputs", "outputs"):
        row = compared.row(name)
        if row.a is None or row.b is None or row.a == row.b:
            continue
        for side, own, other in ((a, row.a, row.b), (b, row.b, row.a)):
            if more := [each.replace("_", " ") for each in own if each not in other]:
                yield f"Only {_name(side)} states {name} {_listed(more)}."


def _capabilities(compared: Comparison) -> Iterator[str]:
    if compared.both:
        count = len(compared.both)
        pairs = [
            f"\u201c{each.a.name}\u201d and \u201c{each.b.name}\u201d"
            for each in compared.both
        ]
        things = "1 thing" if count == 1 else f"{count} things"
        yield f"Both do {things}, at least in part: {_some(pairs)}."
    else:
        yield "No capability of the one answers to one of the other."
    for other, only in (
        (compared.b, compared.only_a),
        (compared.a, compared.only_b),
    ):
        if only:
            names = [f"\u201c{each.name}\u201d" for each in only]
            yield f"Without a clear counterpart in {_name(other)}: {_some(names)}."


def _outcomes(compared: Comparison) -> Iterator[str]:
    known = compared.head_to_head
    if known.n:
        needs = "need" if known.n == 1 else "needs"
        same = known.n - known.a - known.b
        yield (
            f"Of {known.n} {needs} that both were tried for, "
            f"{_name(compared.a)} did better in {known.a}, "
            f"{_name(compared.b)} in {known.b}, and {same} were a tie."
        )
    for claim in compared.claims:
        if claim.source is None:
            by = {each.artifact.slug: each for each in (compared.a, compared.b)}
            yield (
                f"What the record of {_name(by[claim.by])} says of "
                f"{_name(by[claim.about])} is uncited."
            )


def _name(side: Side) -> str:
    return side.artifact.name


def _some(names: list[str]) -> str:
    left = len(names) - NAMED
    shown = names[:NAMED]
    return f"{'; '.join(shown)}; and {left} more" if left > 0 else "; ".join(shown)


def _listed(items: Iterable[str]) -> str:
    *head, last = items
    return f"{', '.join(head)} and {last}" if head else last
