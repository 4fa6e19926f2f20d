"""Nothing asks the network, and no pickle is loaded, whatever a catalogue says."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ARTIFACTS, to_jsonl
from tests.resilience.processes import ROOT

WATCHED = """
import os, pickle, sys, _pickle

asked, loaded = [], []

def audit(event, given):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname",
                 "socket.sendto", "urllib.Request", "http.client.connect"):
        asked.append(f"{event} {given[1:]}")
    elif event in ("os.system", "subprocess.Popen", "os.exec", "os.posix_spawn"):
        asked.append(f"{event} {given}")

class Unpickler(_pickle.Unpickler):
    def load(self):
        frame = sys._getframe(1)
        loaded.append(f"{frame.f_code.co_filename}:{frame.f_lineno}")
        return super().load()

def wrapped(call):
    def loading(*given, **named):
        frame = sys._getframe(1)
        loaded.append(f"{frame.f_code.co_filename}:{frame.f_lineno}")
        return call(*given, **named)
    return loading

for module in (pickle, _pickle):
    for name in ("load", "loads"):
        setattr(module, name, wrapped(getattr(module, name)))
    module.Unpickler = Unpickler
sys.addaudithook(audit)
"""
"""Notes who asks the network, starts a program or loads a pickle, and lets them."""

BUILD = """
from pathlib import Path
from index.model import find
from tests.conftest import HashingEncoder
from web.settings import Settings, build_generation

encoder = HashingEncoder() if sys.argv[3] == "hashing" else find()
settings = Settings(Path(sys.argv[1]), None, lambda setting: encoder)
build_generation(settings, (Path(sys.argv[2]),))
"""

ASK = """
from contextlib import closing
from pathlib import Path
from tests.conftest import HashingEncoder
from web.app import create_app
from web.current import CurrentEngine
from web.settings import Settings, open_history

encoder = HashingEncoder()
settings = Settings(Path(sys.argv[1]), None, lambda setting: encoder)
with closing(open_history(settings)) as history:
    client = create_app(CurrentEngine(settings, history), history).test_client()
    found = client.get("/api/v1/search?q=grounded+captioning&explain=1").json
    told = {"matchId": found["matchId"], "slug": "kosmos-2", "outcome": "worked"}
    assert client.post("/api/v1/feedback", json=told).status_code == 202
    record = {"slug": "x", "name": "X", "type": "app", "url": "http://127.0.0.1:1/x",
              "capabilities": [{"name": "a", "description": "b"}]}
    assert client.post("/api/v1/validate", json=record).status_code == 200
    for path in (
        "/", "/search?q=grounded+captioning", "/artifact/kosmos-2", "/graph",
        "/artifact/kosmos-2/alternatives", "/compare/kosmos-2-vs-sketcher", "/docs",
        "/quality", "/about/rank", "/metrics", "/readyz", "/openapi.json",
        "/api/v1/artifacts", "/api/v1/suggest?q=gro", "/api/v1/stats",
        "/search?q=http://127.0.0.1:1/like+this",
    ):
        assert client.get(path).status_code == 200, path
history.log.close()
"""

REPORT = """
import json
print(json.dumps({"asked": asked, "loaded": loaded}))
"""


def watched(script: str, *given: str) -> dict[str, list[str]]:
    """Return what a script asks the network for, and where it loads pickles."""
    code = WATCHED + script + REPORT
    run = [sys.executable, "-c", code, *given]
    done = subprocess.run(
        run, cwd=ROOT, check=False, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, list[str]] = json.loads(done.stdout.splitlines()[-1])
    return found


def places(loaded: list[str]) -> set[str]:
    """Return the packages whose code loads a pickle."""
    parts = (Path(each.rpartition(":")[0]).parts for each in loaded)
    return {
        path[path.index("site-packages") + 1] if "site-packages" in path else path[-1]
        for path in parts
    }


@pytest.fixture
def catalog_of_addresses(tmp_path: Path) -> Path:
    """A catalogue that names addresses wherever it may."""
    there = "http://127.0.0.1:1/there"
    artifacts = [
        {**each, "url": there, "repository": there, "sources": [there]}
        for each in ARTIFACTS
    ]
    return to_jsonl(artifacts, tmp_path / "catalog.jsonl")


@pytest.mark.parametrize(
    "encoder",
    ["hashing", pytest.param("model", marks=[pytest.mark.model, pytest.mark.nightly])],
)
def test_building_asks_nobody_and_loads_no_pickle_but_its_own(
    tmp_path: Path, catalog_of_addresses: Path, encoder: str
) -> None:
    home = str(tmp_path / "home")
    found = watched(BUILD, home, str(catalog_of_addresses), encoder)
    assert found["asked"] == []
    assert places(found["loaded"]) == set()


def test_serving_asks_nobody_and_loads_no_pickle(
    tmp_path: Path, catalog_of_addresses: Path
) -> None:
    home = str(tmp_path / "home")
    watched(BUILD, home, str(catalog_of_addresses), "hashing")
    found = watched(ASK, home)
    assert found == {"asked": [], "loaded": []}


def test_the_watch_sees_what_it_looks_for() -> None:
    script = """
import socket
try:
    socket.create_connection(("127.0.0.1", 1), timeout=1)
except OSError:
    pass
pickle.loads(pickle.dumps([1]))
"""
    found = watched(script)
    assert found["asked"] and found["loaded"]
