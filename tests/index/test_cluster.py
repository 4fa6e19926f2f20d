"""Shards on a real Ray cluster of three nodes on this machine: two of them may die."""

import json
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result

from index import cluster as of_ray
from index.builder import build
from index.cluster import Layout, Replica, ShardCluster, deploy_apart
from index.errors import ClusterError, NoGenerationError
from index.generation import Generation
from index.home import Home
from index.shard import Question
from index.source import read
from index.store import Store
from search.engine import Engine
from search.need import Need
from tests.answers import NEEDS, said
from tests.conftest import ARTIFACTS, HashingEncoder, to_catalog
from web.app import create_app
from web.current import CurrentEngine
from web.settings import Settings, open_history, shipped_catalogue

pytest.importorskip("ray")

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="a server there has no fork"),
    # Ray's own: it declares fields as pydantic 1 did.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

CORES = 8
"""Cores that each node says it has: replicas that wait need none."""

SERVE = """
import sys
from pathlib import Path
from tests.conftest import HashingEncoder
from web.cli import main
from web.settings import Settings
settings = Settings(Path(sys.argv[1]), None, lambda setting: HashingEncoder())
main(["serve", *sys.argv[2:]], obj=settings)
"""


@pytest.fixture(scope="module")
def nodes() -> Iterator[Any]:
    """A cluster: a head without cores for replicas, and two nodes with some."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        import ray
        from ray.cluster_utils import Cluster as Nodes

        nodes = Nodes(True, False, {"num_cpus": 1, "include_dashboard": False})
        for _ in range(2):
            nodes.add_node(num_cpus=CORES)
        yield nodes
        ray.shutdown()
        nodes.shutdown()


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home with the shipped catalogue."""
    home = Home(tmp_path_factory.mktemp("home"))
    build(read([shipped_catalogue()]), HashingEncoder(), home)
    return home


@pytest.fixture(scope="module")
def generation(shipped: Home) -> Iterator[Generation]:
    with shipped.open() as opened:
        yield opened


@pytest.fixture(scope="module")
def cluster(nodes: Any) -> ShardCluster:
    return ShardCluster(Layout(nodes.address, shards=2, replicas=2))


@pytest.fixture(scope="module")
def single(nodes: Any) -> ShardCluster:
    """Shards of one replica each, which are there sooner."""
    return ShardCluster(Layout(nodes.address, shards=2))


@pytest.fixture(scope="module")
def engine(cluster: ShardCluster, generation: Generation) -> Iterator[Engine]:
    """An engine over two shards with two replicas each."""
    yield Engine(generation, HashingEncoder(), shards=cluster.shards(generation))
    cluster.leave(generation)


def applications() -> list[str]:
    from ray import serve

    return [*serve.status().applications]


def gone(name: str, wait_s: float = 30) -> bool:
    """Return whether an application ends in time."""
    deadline = time.monotonic() + wait_s
    while name in applications() and time.monotonic() < deadline:
        time.sleep(0.1)
    return name not in applications()


def test_shards_on_two_nodes_answer_as_one_machine(
    engine: Engine, generation: Generation
) -> None:
    whole = Engine(generation, HashingEncoder())
    for text in NEEDS[::5]:
        assert said(engine, text) == said(whole, text)


@pytest.mark.nightly
def test_shards_on_two_nodes_answer_500_needs_as_one_machine(
    engine: Engine, generation: Generation
) -> None:
    whole = Engine(generation, HashingEncoder())
    for text in [*NEEDS, *(f"{each}, self-hosted" for each in NEEDS)][:500]:
        assert said(engine, text) == said(whole, text)


def under_load(
    search: Callable[[str], Any], needs: Sequence[str], during: Callable[[], None]
) -> list[Any]:
    """Return what four clients get while, after a third of it, something happens."""
    begun, happened = threading.Semaphore(0), threading.Event()

    def ask(text: str) -> Any:
        begun.release()
        return search(text)

    def happen() -> None:
        for _ in range(len(needs) // 3):
            begun.acquire()
        during()
        happened.set()

    other = threading.Thread(target=happen)
    other.start()
    with ThreadPoolExecutor(4) as clients:
        answers = list(clients.map(ask, needs))
    other.join()
    assert happened.is_set()
    return answers


@pytest.mark.parametrize("count", [200, pytest.param(1000, marks=pytest.mark.nightly)])
def test_a_node_that_dies_under_load_fails_no_request(
    count: int, nodes: Any, engine: Engine, generation: Generation
) -> None:
    needs = [f"{NEEDS[each % len(NEEDS)]} {each}" for each in range(count)]
    whole = Engine(generation, HashingEncoder())
    expected = [whole.search(Need.read(each)) for each in needs]
    worker = nodes.list_all_nodes()[-1]
    answers = under_load(
        lambda text: engine.search(Need.read(text)),
        needs,
        lambda: nodes.remove_node(worker, allow_graceful=False),
    )
    nodes.add_node(num_cpus=CORES)
    assert answers == expected


def test_a_switch_under_load_mixes_no_generations_and_ends_the_old_shards(
    single: ShardCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.current.DRAIN_S", 1.0)
    home, encoder = Home(tmp_path), HashingEncoder()
    build(to_catalog(ARTIFACTS), encoder, home)
    settings = Settings(tmp_path, None, lambda setting: encoder)
    current = CurrentEngine(settings, look_every_s=0, cluster=single)
    before = current()
    old = single.name(before.generation)
    others = [{**each, "name": f"{each['name']} II"} for each in ARTIFACTS[:3]]

    def switch() -> None:
        build(to_catalog(others), encoder, home)
        deadline = time.monotonic() + 120
        while current() is before and time.monotonic() < deadline:
            time.sleep(0.05)

    needs = [
        f"{each['summary']} {number}" for number in range(60) for each in ARTIFACTS[:1]
    ]
    answers = under_load(lambda text: current().search(Need.read(text)), needs, switch)
    answers.append(current().search(Need.read(needs[0])))
    assert {each.generation for each in answers} == {"000001", "000002"}
    engines = {
        id_: Engine(Generation(home.folder(id_)), encoder)
        for id_ in ("000001", "000002")
    }
    for text, answer in zip([*needs, needs[0]], answers, strict=True):
        assert answer == engines[answer.generation].search(Need.read(text))
    for each in engines.values():
        each.generation.close()
    assert gone(old)
    after = current().generation
    assert single.name(after) in applications()
    single.leave(after)
    assert gone(single.name(after))


def test_servers_share_the_shards_of_one_generation_and_the_last_one_ends_them(
    nodes: Any, built: Home
) -> None:
    layout = Layout(nodes.address, shards=2)
    one, other = ShardCluster(layout), ShardCluster(layout)
    with built.open() as generation:
        name = one.name(generation)
        one.shards(generation)
        other.shards(generation)
        one.leave(generation)
        shards = other.shards(generation)
        assert name in applications()
        assert shards.ask("score", {0: ([], []), 1: ([], [])}) == {0: [], 1: []}
        other.leave(generation)
    assert gone(name)


def test_without_a_shard_there_is_no_answer_but_a_503_and_when_to_come_again(
    single: ShardCluster,
    built: Home,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from ray import serve

    monkeypatch.setattr(of_ray, "DEADLINE_S", 1.0)
    with built.open() as generation, closing(open_history(settings)) as history:
        engine = Engine(generation, HashingEncoder(), shards=single.shards(generation))
        client = create_app(lambda: engine, history).test_client()
        assert client.get("/api/v1/search?q=grounded").status_code == 200
        serve.delete(single.name(generation))
        started = time.monotonic()
        response = client.get("/api/v1/search?q=captioning")
        assert time.monotonic() - started < 5
        single.leave(generation)
    assert response.status_code == 503
    assert response.content_type == "application/problem+json"
    assert response.headers["Retry-After"] == "5"
    assert "of 2 cannot be reached" in response.get_json()["detail"]


def test_a_machine_without_the_generation_is_named(
    single: ShardCluster, built: Home
) -> None:
    with built.open() as generation:
        moved = generation.folder.rename(generation.folder.with_name("moved"))
        with pytest.raises(
            ClusterError, match=r"is not there on the machine .* pull it"
        ):
            single.shards(generation)
        moved.rename(generation.folder)
    assert gone(single.name(generation))


def test_a_server_answers_from_shards_and_ends_them_when_it_ends(
    nodes: Any, single: ShardCluster, built: Home, encoder: HashingEncoder
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    layout = ["--port", port, "--ray", nodes.address, "--shards", "2"]
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE, str(built.path), *layout],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    url = f"http://127.0.0.1:{port}/api/v1/search?q=grounded+captioning&explain=true"
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == f"Serving on http://127.0.0.1:{port}\n"
        deadline = time.monotonic() + 120
        while True:
            try:
                with urllib.request.urlopen(url, timeout=20) as response:
                    answer = json.load(response)
                break
            except OSError:
                assert time.monotonic() < deadline, "the server never answered"
                time.sleep(0.1)
        with built.open() as generation:
            expected = said(Engine(generation, encoder), "grounded captioning")
            name = single.name(generation)
        given = ("matchId", "tookMs")
        assert {k: v for k, v in answer.items() if k not in given} == json.loads(
            json.dumps({k: v for k, v in expected.items() if k not in given})
        )
        assert name in applications()
    finally:
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "Traceback" not in errors
    assert gone(name)


@pytest.mark.parametrize(
    ("given", "status", "says"),
    [
        (["--ray", "127.0.0.1:1"], 1, "cannot be joined: "),
        (["--ray", "somewhere"], 2, "should be the head's HOST:PORT"),
        (["--ray", "ray://127.0.0.1:10001"], 2, "should be the head's HOST:PORT"),
        (["--ray", "127.0.0.1:99999999"], 1, "cannot be joined: "),
        (["--ray", "127.0.0.1:1", "--shards", "0"], 2, "--shards"),
        (["--ray", "127.0.0.1:1", "--replicas", "0"], 2, "--replicas"),
        (["--shards", "2"], 2, "need --ray ADDRESS"),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused_in_a_line(
    given: list[str],
    status: int,
    says: str,
    instead: Callable[..., Result],
    built: Home,
) -> None:
    result = instead("serve", *given)
    assert result.exit_code == status
    assert says in result.output


def test_more_shards_than_artifacts_are_refused(
    instead: Callable[..., Result], built: Home
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as head:
        address = f"127.0.0.1:{head.getsockname()[1]}"
        result = instead("serve", "--port", 65001, "--ray", address, "--shards", 5)
    assert result.exit_code == 2
    assert "5 shards cannot be made of 4 artifacts" in result.output


def test_a_machine_without_the_generation_pulls_it(built: Home, tmp_path: Path) -> None:
    store = str(tmp_path / "store")
    pushed = Store(store).push(built).manifest
    folder = tmp_path / "node" / "generations" / pushed.id
    size = pushed.counts["capabilities"]
    with pytest.raises(NoGenerationError, match="set INSTEAD_STORE"):
        Replica(str(folder), pushed.digest, (0, size))
    replica = Replica(str(folder), pushed.digest, (0, size), store)
    question = Question(("database",), np.zeros((1, HashingEncoder().width), "f4"))
    with built.open() as generation:
        own = np.arange(size)
        expected = generation.keyword.score_of(question.terms, own).tolist()
        assert replica.ask("score", [question], own)[0].words.tolist() == expected


def test_without_ray_it_is_said_how_to_install_it(
    instead: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    result = instead("serve", "--ray", "127.0.0.1:6379")
    assert result.exit_code == 2
    assert "pip install 'instead[ray]'" in result.output


def test_who_is_no_head_of_a_cluster_is_refused_in_a_line(
    built: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(of_ray, "JOIN_S", 3.0)
    with socket.create_server(("127.0.0.1", 0)) as other, built.open() as generation:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(ClusterError, match="cannot be joined: "):
            deploy_apart(Layout(address), generation)
