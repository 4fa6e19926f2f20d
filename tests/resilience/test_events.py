"""No acknowledged event is lost or doubled, whoever is killed and tries again."""

import random
import time
from contextlib import closing
from pathlib import Path

import pytest

from index.events import EventLog
from tests.resilience.processes import begun, pipe
from tests.resilience.work import write_events


@pytest.mark.parametrize("kills", [100, pytest.param(1000, marks=pytest.mark.nightly)])
def test_no_acknowledged_event_is_lost_or_doubled(tmp_path: Path, kills: int) -> None:
    chance = random.Random(5)
    acknowledged: list[int] = []
    again = 0
    for _ in range(kills):
        # A client that got no answer sends its last events again.
        first = max(len(acknowledged) - chance.randrange(3), 0)
        again += len(acknowledged) - first
        reading, writing = pipe()
        with closing(reading), begun(write_events, tmp_path, first, writing) as writer:
            writing.close()
            told = [reading.recv()]
            time.sleep(chance.uniform(0, 0.03))
            writer.kill()
            writer.join()
            try:
                while True:
                    told.append(reading.recv())
            except EOFError:
                pass
        assert told == [*range(first, first + len(told))]
        acknowledged = [*range(max(len(acknowledged), first + len(told)))]
    assert again > kills / 2
    with closing(EventLog.beside(tmp_path)) as log:
        written = [int(each.id) for _, each in log.after()]
    assert len(written) == len(set(written))
    # Of the last one it may not have been told any more.
    assert acknowledged == sorted(written)[: len(acknowledged)]
    assert len(written) <= len(acknowledged) + 1
