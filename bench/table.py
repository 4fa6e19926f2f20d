"""The table of bench/speed.py: figures, ratios, aims and whether they are met."""

from dataclasses import dataclass

from bench.contest import Times

HEAD = (
    "| capabilities | what | ours | the other | ratio | aim | |\n"
    "|---|---|---|---|---|---|---|"
)


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table; `met` is None where there is no aim."""

    size: int
    what: str
    ours: str
    other: str = ""
    ratio: float | None = None
    aim: str = ""
    met: bool | None = None

    def __str__(self) -> str:
        """Return it as a row of Markdown."""
        verdict = {True: "met", False: "missed", None: ""}[self.met]
        ratio = "" if self.ratio is None else f"{self.ratio:,.1f}"
        cells = [f"{self.size:,}", self.what, self.ours, self.other, ratio]
        return f"| {' | '.join([*cells, self.aim, verdict])} |"


def times_faster(
    size: int, what: str, ours: Times, other: Times, least: float | None, note: str = ""
) -> Row:
    """Return the row of two contestants' times."""
    ratio = other.p50 / ours.p50
    aim, met = "", None
    if least is not None:
        aim, met = f"{least:g} times faster", ratio >= least
    return Row(size, what, f"{ms(ours)}{note}", ms(other), ratio, aim, met)


def within(
    size: int, what: str, value: float, unit: str, most: float | None = None
) -> Row:
    """Return the row of a figure that is to be at most `most`."""
    shown = f"{value:,.2f}" if value < 10 else f"{value:,.0f}"
    if most is None:
        return Row(size, what, f"{shown} {unit}")
    return Row(
        size, what, f"{shown} {unit}", "", None, f"{most:g} {unit}", value <= most
    )


def ms(times: Times) -> str:
    """Return p50 and p99."""
    return f"{times.p50:.2f} / {times.p99:.2f} ms"
