"""Builds by several processes and on a cluster: the same bytes, whoever dies."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from index import builder
from index.artifact import Artifact
from index.builder import build
from index.catalog import Catalog
from index.errors import ClusterError, EncoderError, SettingError, WorkerError
from index.home import Home
from index.model import SentenceEncoder, find
from index.shards import cut
from index.source import read
from index.workers import HERE, Cluster, Processes, Workers
from tests.conftest import HashingEncoder
from web.settings import shipped_catalogue

SHARD = 40

Files = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    """The first artifacts of the shipped catalogue: some hundred capabilities."""
    artifacts: list[Artifact] = [*islice(read([shipped_catalogue()]).values(), 50)]
    return Catalog(artifacts)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """So many shards and batches as large catalogues have."""
    monkeypatch.setattr(builder, "cut", partial(cut, size=SHARD))
    monkeypatch.setattr(builder, "BATCH", 64)


@pytest.fixture
def expected(catalog: Catalog, tmp_path: Path) -> Files:
    """What this process builds."""
    return built(catalog, HashingEncoder(), tmp_path / "expected", HERE)


def built(
    catalog: Catalog, encoder: Any, home: Path, workers: Workers, **more: Any
) -> Files:
    """Return the checksum of every file of a build."""
    return build(catalog, encoder, Home(home), workers=workers, **more).files


def test_processes_build_the_same_bytes(
    catalog: Catalog, expected: Files, tmp_path: Path
) -> None:
    assert len(cut(catalog, SHARD)) > 4
    encoder = HashingEncoder()
    assert built(catalog, encoder, tmp_path / "home", Processes(2)) == expected
    assert encoder.encoded == 0  # here


class Elsewhere(HashingEncoder):
    """An encoder that knows whether it is asked in the process that made it."""

    def __init__(self) -> None:
        super().__init__()
        self.process = os.getpid()

    @property
    def sent(self) -> bool:
        return os.getpid() != self.process


class Deadly(Elsewhere):
    """One that takes its process with it, as a machine without memory does."""

    def encode_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        if self.sent:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().encode_passages(texts)


class Refusing(Elsewhere):
    """One that other processes cannot have."""

    def encode_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        if self.sent:
            raise EncoderError("no such model here")
        return super().encode_passages(texts)


@pytest.mark.parametrize(
    ("encoder", "error", "text"),
    [
        (Deadly, WorkerError, "a process of the build was killed.*fewer --workers"),
        (Refusing, EncoderError, "no such model here"),
    ],
)
def test_a_build_whose_processes_fail_leaves_the_old_generation_and_nothing_else(
    catalog: Catalog,
    tmp_path: Path,
    encoder: type[HashingEncoder],
    error: type[Exception],
    text: str,
) -> None:
    home = Home(tmp_path)
    build(catalog, HashingEncoder("old"), home)
    with pytest.raises(error, match=text):
        build(catalog, encoder(), home, workers=Processes(2))
    assert home.current() == "000001"
    assert [path.name for path in home.folder("000001").parent.iterdir()] == ["000001"]
    assert not spawned(os.getpid())


def spawned(parent: int) -> set[int]:
    """Return the workers that `parent` has; none where there is no /proc."""
    listed = Path(f"/proc/{parent}/task").glob("*/children")
    own = {int(each) for path in listed for each in path.read_text().split()}
    return {each for each in own if "spawn_main" in _command(each)}


def _command(process: int) -> str:
    try:
        return Path(f"/proc/{process}/cmdline").read_text()
    except OSError:  # it ended meanwhile
        return ""


ABANDONED = """
import time
from pathlib import Path
from index.workers import Processes

if __name__ == "__main__":
    with Processes(2) as workers:
        begun = workers.map(time.sleep, [0, 0, 600, 600])
        next(begun)
        print("begun", flush=True)
        next(begun), next(begun)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_processes_end_with_the_one_that_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "abandoned.py"
    script.write_text(ABANDONED)
    environ = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    with subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, env=environ
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"begun\n"
        left = spawned(parent.pid)
        assert len(left) == 2
        parent.kill()
    deadline = time.monotonic() + 20
    while any(map(alive, left)):
        assert time.monotonic() < deadline, "a process was left behind"
        time.sleep(0.05)


def alive(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


@pytest.mark.model
def test_the_model_gives_the_same_bits_whoever_asks_it() -> None:
    import torch

    texts = ["Grounded captioning", "Transcribes speech, who said what. " * 9] * 8
    encoder = find()
    threads = torch.get_num_threads()
    vectors = {}
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            vectors[count] = encoder.encode_passages(texts)
    finally:
        torch.set_num_threads(threads)
    with Processes(1) as workers:
        (sent,) = workers.map(encoder.encode_passages, [texts])
    np.testing.assert_array_equal(vectors[1], vectors[2])
    np.testing.assert_array_equal(vectors[1], sent)


@pytest.mark.model
def test_a_worker_with_another_model_is_refused() -> None:
    encoder = find()
    rebuild, (setting, digest, halves) = encoder.__reduce__()
    assert isinstance(rebuild(setting, digest, not halves), SentenceEncoder)
    with pytest.raises(EncoderError, match="has another model under"):
        rebuild(setting, "0" * 64, halves)


def test_without_ray_a_cluster_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(SettingError, match=r"pip install 'instead\[ray\]'"):
        Cluster("auto")


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A cluster of a head that works for nobody and of two nodes that do."""
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster as Nodes

    monkeypatch.setenv("PYTHONPATH", str(Path.cwd()))
    nodes = Nodes(initialize_head=True, head_node_args={"num_cpus": 0})
    try:
        for _ in range(2):
            nodes.add_node(num_cpus=1)
        yield nodes
    finally:
        nodes.shutdown()


class Slow(HashingEncoder):
    """An encoder that takes its time, so that a node can be lost meanwhile."""

    def encode_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        time.sleep(0.2)
        return super().encode_passages(texts)


def test_a_cluster_that_loses_a_node_builds_the_same_bytes(
    catalog: Catalog, expected: Files, tmp_path: Path, cluster: Any
) -> None:
    lost: list[int] = []

    def progress(stage: str, done: int, total: int) -> None:
        if stage == "passages" and 0 < done < total and not lost:
            lost.append(done)
            cluster.remove_node(next(iter(cluster.worker_nodes)), allow_graceful=False)

    workers = Cluster(cluster.address)
    files = built(catalog, Slow(), tmp_path / "home", workers, progress=progress)
    assert lost
    assert files == expected


@pytest.mark.model
@pytest.mark.nightly
def test_the_model_gives_the_same_bits_on_a_cluster(cluster: Any) -> None:
    texts = ["Grounded captioning", "Transcribes speech, who said what. " * 9] * 8
    encoder = find()
    with Cluster(cluster.address) as workers:
        (sent,) = workers.map(encoder.encode_passages, [texts])
        np.testing.assert_array_equal(encoder.encode_passages(texts), sent)


def test_an_address_without_a_cluster_says_so() -> None:
    pytest.importorskip("ray")
    with pytest.raises(ClusterError, match="cannot be joined"):
        Cluster("127.0.0.1:1")
