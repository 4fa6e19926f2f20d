"""The real engine in a temporary home, with an encoder that needs no model."""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
from click.testing import CliRunner, Result
from numpy.typing import NDArray

from index.artifact import Artifact
from index.builder import build
from index.catalog import Catalog
from index.home import Home
from search.engine import Engine
from web.cli import main
from web.settings import Settings


class HashingEncoder:
    """Words and their trigrams, hashed to signed dimensions: it can rank."""

    name = "hashing"
    width = 256

    def __init__(self, salt: str = "") -> None:
        self.salt = salt
        self.digest = hashlib.sha256(f"hashing{salt}".encode()).hexdigest()
        self.encoded = 0

    def encode_need(self, text: str) -> NDArray[np.float32]:
        vector = np.zeros(self.width, dtype=np.float32)
        for word in re.findall(r"\w+", text.lower()):
            padded = f"^{word}$"
            grams = {padded[i : i + 3] for i in range(len(padded) - 2)}
            for gram in [word, *sorted(grams)]:
                number = hashlib.md5(f"{self.salt}{gram}".encode()).digest()
                sign = 1 if number[0] % 2 else -1
                vector[int.from_bytes(number[1:4]) % self.width] += sign
        if not vector.any():
            vector[0] = 1
        return vector / np.float32(np.linalg.norm(vector))

    def is_word(self, text: str) -> bool:
        return text.lower() in ("zeppelin", "wheel")

    def encode_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.encoded += len(texts)
        return np.stack([self.encode_need(text) for text in texts])

    def export(self, folder: Path) -> bool:
        return False


ARTIFACTS: list[dict[str, Any]] = [
    {
        "slug": "kosmos-2",
        "name": "Kosmos-2",
        "type": "model",
        "provider": "Microsoft",
        "license": "MIT",
        "url": "https://example.org/kosmos-2",
        "summary": "Grounds what it says in regions of an image.",
        "pricing": {"model": "open_source", "free": True},
        "categories": ["vision-language"],
        "facts": {"deployment": ["self_hosted"], "parameters": 1.66e9},
        "evidence": {"deployment": {"source": "https://example.org/card"}},
        "signals": [
            {
                "name": "downloads",
                "value": 1000,
                "as_of": "2026-08-21",
                "source": "https://example.org/kosmos-2",
            }
        ],
        "capabilities": [
            {
                "id": "grounded-captioning",
                "name": "Grounded captioning",
                "description": "Describes an image. Each phrase points at a box.",
                "unique": "Boxes come as tokens of the caption.",
                "vs_alternatives": "A plain captioner names no regions.",
                "limitations": ["Images are scaled to 224 pixels."],
                "source": "https://example.org/card",
            },
            {
                "name": "Visual question answering",
                "description": "Answers questions about a picture.",
            },
        ],
        "meta": {"internal": "never shown"},
    },
    {
        "slug": "whisper-tiny",
        "name": "Whisper tiny",
        "type": "model",
        "provider": "OpenAI",
        "facts": {"deployment": ["edge"], "offline": True},
        "capabilities": [
            {
                "name": "Speech recognition",
                "description": "Transcribes meetings and speech on an edge device.",
                "intents": ["transcribe a meeting offline"],
            }
        ],
    },
    {
        "slug": "postgres-mcp",
        "name": "Postgres MCP",
        "type": "mcp",
        "tags": ["database"],
        "capabilities": [
            {
                "name": "Query a database",
                "description": "Lets an agent run SQL on Postgres, also read-only.",
            },
            {
                "name": "Inspect a schema",
                "description": "Lists tables, columns and indexes.",
            },
        ],
    },
    {
        "slug": "sketcher",
        "name": "Sketcher",
        "type": "app",
        "pricing": {"model": "paid", "free": False},
        "capabilities": [
            {
                "name": "Image generation",
                "description": "Draws pictures from text on a desktop computer.",
            }
        ],
    },
]


def to_jsonl(artifacts: Sequence[dict[str, Any]], path: Path) -> Path:
    """Write `artifacts` as a catalogue file."""
    lines = (json.dumps(each, ensure_ascii=False) for each in artifacts)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def to_catalog(artifacts: Sequence[dict[str, Any]]) -> Catalog:
    """Return `artifacts` as a catalogue."""
    lines = (json.dumps(each) for each in artifacts)
    return Catalog(Artifact.model_validate_json(line) for line in lines)


@pytest.fixture
def catalog() -> Catalog:
    return to_catalog(ARTIFACTS)


@pytest.fixture
def encoder() -> HashingEncoder:
    return HashingEncoder()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture
def built(home: Home, catalog: Catalog, encoder: HashingEncoder) -> Home:
    """A home with one generation."""
    build(catalog, encoder, home)
    return home


@pytest.fixture
def engine(built: Home, encoder: HashingEncoder) -> Iterator[Engine]:
    with built.open() as generation:
        yield Engine(generation, encoder)


@pytest.fixture
def settings(home: Home, encoder: HashingEncoder) -> Settings:
    return Settings(home.path, None, lambda setting: encoder)


@pytest.fixture
def instead(settings: Settings) -> Callable[..., Result]:
    """Run the command line as a person would, with the settings of the test."""

    def run(*arguments: str | int | Path) -> Result:
        words = [str(argument) for argument in arguments]
        result = CliRunner().invoke(main, words, obj=settings)
        assert "Traceback" not in result.output
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


@pytest.fixture
def catalog_file(tmp_path: Path) -> Path:
    return to_jsonl(ARTIFACTS, tmp_path / "catalog.jsonl")


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """The address of a server that speaks S3, on this machine."""
    pytest.importorskip("s3fs")
    server = pytest.importorskip("moto.server").ThreadedMotoServer(
        "127.0.0.1", 0, verbose=False
    )
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> str:
    """An empty bucket, with what reaches it in the environment."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", request.getfixturevalue("s3"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    name = f"bucket-{abs(hash(tmp_path))}"
    fsspec.filesystem("s3", skip_instance_cache=True).mkdir(name)
    return name
