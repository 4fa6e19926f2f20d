"""The running server is what its document says, whatever it is asked."""

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import CheckFunction, not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from index.builder import build
from index.home import Home
from tests.conftest import ARTIFACTS, HashingEncoder, to_catalog
from tests.web.conftest import served

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="gunicorn needs fork")

CHECKS: list[CheckFunction] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]

MODES = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
"""What the document allows, and what it does not."""

CASES = 300
"""Of all endpoints together, in each full run; nightly there are many more."""

NIGHTLY_CASES, NIGHTLY_RUNS = 40_000, 40
"""Many small runs find more than a single long one."""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    home = Home(tmp_path_factory.mktemp("served") / "home")
    build(to_catalog(ARTIFACTS), HashingEncoder(), home)
    with served(home.path) as address:
        yield address


def ask(address: str, cases: int, *, derandomize: bool) -> Counter[int]:
    """Ask every endpoint its share of `cases`; return how often each status came."""
    came: Counter[int] = Counter()
    schema = schemathesis.openapi.from_url(f"{address}/openapi.json")
    operations = [
        each.ok() for each in schema.get_all_operations() if isinstance(each, Ok)
    ]
    assert operations
    shown = requests.get(f"{address}/api/v1/search?q=captions", timeout=30).json()
    told = {"matchId": shown["matchId"], "slug": "kosmos-2"}
    share = -(-cases // (len(operations) * len(MODES)))

    for operation in operations:
        for mode in MODES:

            @settings(
                max_examples=share,
                deadline=None,
                database=None,
                derandomize=derandomize,
                suppress_health_check=list(HealthCheck),
                phases=(Phase.explicit, Phase.generate),
            )
            @given(operation.as_strategy(generation_mode=mode), st.booleans())
            def holds(case: schemathesis.Case[Any], known: bool) -> None:
                if known and isinstance(case.body, dict) and "matchId" in case.body:
                    case.body |= told
                if known and "slug" in case.path_parameters:
                    case.path_parameters["slug"] = "kosmos-2"
                response = case.call_and_validate(checks=CHECKS, timeout=30)
                came[response.status_code] += 1

            with suppress(Unsatisfiable):  # of no parameters there are no wrong ones
                holds()
    return came


def test_no_answer_is_undeclared_or_a_fault(address: str) -> None:
    came = ask(address, CASES, derandomize=True)
    assert came.total() >= CASES / 2
    assert {200, 202, 400, 404, 422} <= set(came)


@pytest.mark.nightly
def test_no_answer_of_forty_thousand_is_undeclared_or_a_fault(address: str) -> None:
    came: Counter[int] = Counter()
    while came.total() < NIGHTLY_CASES:
        came += ask(address, NIGHTLY_CASES // NIGHTLY_RUNS, derandomize=False)
