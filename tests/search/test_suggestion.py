import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from search.engine import Engine
from search.suggestion import COMPLETIONS


def completions(engine: Engine, text: str) -> list[tuple[str, str | None]]:
    found = engine.suggest(text).completions
    return [(each.text, each.slug) for each in found]


@pytest.mark.parametrize("text", ["p", "Post", "POSTGRES m", "postgres mcp", "mcp"])
def test_a_name_is_completed_from_any_of_its_words(engine: Engine, text: str) -> None:
    assert ("Postgres MCP", "postgres-mcp") in completions(engine, text)


def test_a_need_is_completed_from_its_beginning(engine: Engine) -> None:
    assert completions(engine, "transcribe a") == [
        ("transcribe a meeting offline", None)
    ]
    assert completions(engine, "meeting offline") == []


def test_names_come_before_needs(engine: Engine) -> None:
    assert [slug for _, slug in completions(engine, "t")] == ["whisper-tiny", None]


def test_what_was_meant_is_offered(engine: Engine) -> None:
    assert engine.suggest("gruonded captioning").did_you_mean == "grounded captioning"
    assert engine.suggest("grounded captioning").did_you_mean is None


def test_an_unfinished_word_is_not_taken_for_misspelt(engine: Engine) -> None:
    assert engine.suggest("grounded capti").did_you_mean is None
    assert engine.suggest("gruonded capti").did_you_mean == "grounded capti"
    assert engine.suggest("grounded captionng").did_you_mean == "grounded captioning"


@settings(
    max_examples=50,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.text(min_size=1, max_size=60))
def test_any_text_gets_a_suggestion(engine: Engine, text: str) -> None:
    found = engine.suggest(text)
    assert len(found.completions) <= COMPLETIONS
    assert len(set(found.completions)) == len(found.completions)
