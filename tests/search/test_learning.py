from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

from index.errors import LearningError
from index.events import EventLog, MatchEvent
from index.home import Home
from search.engine import Engine
from search.evaluation import evaluate
from search.graph import MatchGraph
from search.learning import HELD_BACK, LEAST, _is_held_back, fit, learn
from search.need import Need
from tests.search.test_memory import NOW

Instead = Callable[..., Result]

SLANG = {"zorbing": "postgres-mcp", "blipper": "sketcher", "quuxly": "kosmos-2"}
"""Words that nothing but the log can explain."""


def log(slang: dict[str, str], needs: int = 120) -> list[MatchEvent]:
    words = [*slang]
    return [
        MatchEvent(
            str(number),
            f"{words[number % len(words)]} thing number {number}",
            "worked",
            NOW,
            slang[words[number % len(words)]],
        )
        for number in range(needs)
    ]


def contradictory() -> list[MatchEvent]:
    """Return a log that is wrong, but for the needs held back."""
    slugs = ["postgres-mcp", "sketcher"]
    said = log({"draw pictures": slugs[0], "query tables": slugs[1]})
    return [
        replace(each, artifact=slugs[each.artifact == slugs[0]])
        if _is_held_back(each.need)
        else each
        for each in said
    ]


def test_the_words_of_the_log_are_learned_for_needs_never_seen(engine: Engine) -> None:
    engine.ranker.memory.learn(MatchGraph(log(SLANG)))
    told: list[tuple[int, int]] = []
    learned = learn(engine, lambda done, total: told.append((done, total)))
    assert learned.better
    assert learned.gain.value > 0.1
    assert learned.after.value == pytest.approx(
        learned.before.value + learned.gain.value
    )
    assert learned.needs + learned.held_back == 120
    assert learned.held_back == pytest.approx(120 / HELD_BACK, abs=15)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[-1][0] == told[-1][1]
    engine.ranker.forget()
    engine.ranker.adapter = learned.adapter
    (first, *_) = engine.search(Need.read("blipper contraption")).hits
    assert first.artifact.slug == "sketcher"
    leaves = [*first.explanation.leaves()]
    assert sum(leaf.value for leaf in leaves) == pytest.approx(first.score)


def test_what_is_worse_on_needs_held_back_is_refused(engine: Engine) -> None:
    engine.ranker.memory.learn(MatchGraph(contradictory()))
    learned = learn(engine)
    assert learned.gain.value < 0
    assert not learned.better
    assert engine.ranker.adapter is None
    assert engine.ranker.memory.knows


def test_too_few_needs_teach_nothing(engine: Engine) -> None:
    engine.ranker.memory.learn(MatchGraph(log(SLANG, LEAST // 2)))
    with pytest.raises(LearningError, match="25 needs what worked; learning takes"):
        learn(engine)
    engine.ranker.memory.forget()
    with pytest.raises(LearningError, match="of 0 needs"):
        learn(engine)


def test_an_artifact_without_a_past_is_nobodys_rival(engine: Engine) -> None:
    engine.ranker.memory.learn(MatchGraph(log({"blipper": "sketcher"})))
    adapter = fit(engine, engine.ranker.memory.lessons(), lambda done: None)
    assert np.allclose(adapter.matrix, 0)  # with one artifact there is no choice


def test_an_evaluation_without_the_graph_is_without_the_adapter(
    engine: Engine,
) -> None:
    engine.ranker.memory.learn(MatchGraph(log(SLANG)))
    engine.ranker.adapter = learn(engine).adapter
    evaluate(engine, {"1": "draw"}, {"1": {"sketcher": 1}}, without=["graph"])
    assert engine.ranker.adapter is None


@pytest.fixture
def logged(built: Home) -> EventLog:
    return EventLog.beside(built.path)


def test_the_command_switches_and_forgetting_takes_it_back(
    instead: Instead, built: Home, logged: EventLog, tmp_path: Path
) -> None:
    with closing(logged) as opened:
        opened.append(log(SLANG))
    learned = instead("learn")
    assert learned.exit_code == 0, learned.output
    assert "held back nDCG@10" in learned.output
    assert "generation 000002 is in use" in learned.output
    assert "sketcher" in instead("search", "blipper", "-k", "1").output
    with built.open() as generation:
        assert generation.manifest.learned["needs"] > LEAST
    assert instead("events", "forget", "--before", "2027-01-01").exit_code == 0
    with built.open() as generation:
        assert generation.adapter is None
    assert not [*built.path.rglob("adapter.npy")]
    refused = instead("learn")
    assert refused.exit_code == 1
    assert "of 0 needs what worked" in refused.output


def test_the_command_refuses_what_is_worse(
    instead: Instead, built: Home, logged: EventLog
) -> None:
    with closing(logged) as opened:
        opened.append(contradictory())
    refused = instead("learn")
    assert refused.exit_code == 1
    assert "not switched: generation 000001 stays in use" in refused.output
    assert built.current() == "000001"
    assert '"switched": false' in instead("learn", "--json").output
