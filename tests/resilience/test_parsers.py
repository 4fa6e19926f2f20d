"""Whatever is read from people and files ends in a value or in one of our errors."""

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Verbosity, given, settings
from hypothesis import strategies as st

from index import pastneeds
from index.catalog import Catalog
from index.errors import EventError, FeedbackError, JudgementError, NeedError
from index.grammar import grammar
from index.home import Home
from index.slots import tokens
from index.source import examine
from search.engine import Engine
from search.evaluation import read_needs, read_qrels
from search.need import Need
from tests.conftest import ARTIFACTS, HashingEncoder
from tests.resilience.texts import keys, needs
from tests.resilience.work import build_changed
from web import payload

sizes = pytest.mark.parametrize(
    "examples", [200, pytest.param(20_000, marks=pytest.mark.nightly)]
)


def holds(
    check: Callable[..., None], examples: int, *given_: st.SearchStrategy[Any]
) -> None:
    """Hold `check` to so many examples of what is given."""
    settings(
        max_examples=examples,
        deadline=None,
        suppress_health_check=[*HealthCheck],
        verbosity=Verbosity.quiet,
        database=None,
    )(given(*given_)(check))()


@pytest.fixture(scope="module")
def engine(shared: Path) -> Iterator[Engine]:
    build_changed(shared, 0)
    with Home(shared).open() as generation:
        yield Engine(generation, HashingEncoder())


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["http://x", "2026-13-01", "9" * 400, "\ud800", "", "model"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


def places(record: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to each value of a record."""
    yield path
    steps: Any = []
    if isinstance(record, dict | list):
        steps = record.items() if isinstance(record, dict) else enumerate(record)
    for step, value in steps:
        yield from places(value, (*path, step))


PLACES = [each for each in places(ARTIFACTS[0]) if each]


def changed(changes: list[tuple[tuple[Any, ...], Any]]) -> bytes:
    """Return a record with other values at some places, as a line."""
    record = json.loads(json.dumps(ARTIFACTS[0]))
    for (*way, last), value in changes:
        inner = record
        with suppress(KeyError, IndexError, TypeError):
            for step in way:
                inner = inner[step]
            inner[last] = value
    return json.dumps(record).encode()


@sizes
def test_a_line_of_a_catalogue(examples: int) -> None:
    def check(line: bytes) -> None:
        artifact, _, faults = examine(line)
        assert (artifact is None) == bool(faults)
        if artifact is not None:
            catalog = Catalog([artifact])
            again = examine(catalog._lines[0]).artifact
            assert again == catalog[artifact.slug]

    records = st.lists(st.tuples(st.sampled_from(PLACES), anything), max_size=3)
    holds(check, examples, st.binary(max_size=200) | records.map(changed))


@sizes
def test_a_need_with_whatever_constraints(examples: int, engine: Engine) -> None:
    def check(text: str, modes: dict[str, Any]) -> None:
        with suppress(NeedError):
            need = Need.read(text, (), modes)
            answer = engine.search(need, 5)
            assert len(answer.hits) == min(answer.total, 5)
            for each in answer.need.constraints:
                assert 0 <= each.start <= each.end <= len(answer.need.text)
        engine.suggest(text[:500])

    modes = st.dictionaries(
        keys, st.sampled_from(["must", "prefer", "off"]), max_size=3
    )
    holds(check, examples, needs, modes)


@sizes
def test_the_grammar(examples: int) -> None:
    def check(text: str, name: str, value: str) -> None:
        words = tokens(text)
        for at in range(len(words)):
            for mention in grammar().mentions(words, at):
                assert 0 <= mention.first <= mention.last <= len(words)
        [*grammar().recorded(text)]
        [*grammar().prices(text)]
        grammar().rule(name, value)

    names = st.sampled_from(["price", "memory", "parameters", "context", "license"])
    values = st.text(max_size=20) | st.sampled_from(
        ["<=8", ">=1e309", "<=nan", "<=-1", "<=9" + "9" * 400, "<=٣", "<= 8", "inf"]
    )
    holds(check, examples, needs, names | st.text(max_size=10), values)


LINE = {"need": "captions", "artifact": "a", "outcome": "worked"}


@sizes
def test_a_file_of_past_needs(examples: int, tmp_path: Path) -> None:
    path = tmp_path / "past.jsonl"

    def check(content: bytes) -> None:
        path.write_bytes(content)
        with suppress(EventError, FeedbackError):
            events = pastneeds.read(path)
            pastneeds.write(path, events)
            assert pastneeds.read(path) == events

    line = st.dictionaries(
        st.sampled_from([*pastneeds.PastNeed.model_fields, "other"]),
        anything,
        max_size=3,
    ).map(lambda other: json.dumps({**LINE, **other}).encode())
    lines = st.lists(line | st.binary(max_size=50), max_size=4).map(b"\n".join)
    holds(check, examples, lines | st.binary(max_size=200))


@sizes
def test_judged_needs(examples: int, tmp_path: Path) -> None:
    path = tmp_path / "judged"

    def check(content: bytes) -> None:
        path.write_bytes(content)
        with suppress(JudgementError):
            read_needs(path)
        with suppress(JudgementError):
            read_qrels(path)

    needs_ = anything.map(lambda each: json.dumps(each).encode())
    qrels = st.lists(st.text(max_size=6), max_size=6).map(
        lambda each: " ".join(each).encode(errors="replace")
    )
    holds(check, examples, st.binary(max_size=200) | needs_ | qrels)


@sizes
def test_a_cursor(examples: int) -> None:
    def check(cursor: str, sort: Any) -> None:
        with suppress(ValueError):
            payload.place(cursor, sort)

    sorts = st.sampled_from(["rank", "name", "updated"])
    holds(check, examples, st.text(max_size=60), sorts)
