"""Other hybrid searches over the same capabilities, texts and vectors, to compare with.

    pip install --no-deps bm25s lancedb tantivy txtai numba llvmlite pyarrow overrides \
        deprecation wrapt msgpack python-dateutil urllib3 lance-namespace \
        lance-namespace-urllib3-client

They are extras: a peer whose packages are not there is left out. `--no-deps` keeps
PyTorch as it is. Each ranks a need by words and by a given vector, DEPTH of either, and
fuses the two by reciprocal rank; each is set as its own documentation advises.
"""

import importlib.util
import json
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

import faiss
import numpy as np
from numpy.typing import NDArray

from index.generation import Manifest
from index.hits import rank
from index.model import PACKAGE
from index.vector import VECTORS, VectorIndex

Vector = NDArray[np.float32]
Found = list[int]
"""Capabilities by row, best first."""

DEPTH, SHOWN = 100, 10
"""Capabilities that each leg proposes, and that a hybrid search returns."""

RECALL = 0.98
"""What LanceDB's settings are chosen for."""

WHOOSH = Path("keyword") / "whoosh"
"""Where a generation has Whoosh's index."""

FIELDS = ("artifact", "name", "description", "unique", "intents", "tags")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a peer finds what it searches, and keeps what it makes.

    `generation` is a generation's folder; `texts` a JSON list of each capability's
    words, in the order of rows; `needs` an array of the vectors of needs.
    """

    generation: Path
    texts: Path
    needs: Path
    own: Path

    def read_texts(self) -> list[str]:
        """Return the words of each capability."""
        texts: list[str] = json.loads(self.texts.read_bytes())
        return texts

    def read_vectors(self) -> Vector:
        """Return the vectors of the capabilities, shape (capabilities, width)."""
        vectors: Vector = np.load(self.generation / VECTORS)
        return vectors


class Peer(Protocol):
    """A search that `build` makes, and that is opened by calling the class."""

    name: ClassVar[str]
    packages: ClassVar[tuple[str, ...]]

    @staticmethod
    def build(place: Place) -> None:
        """Write to `place.own` what opening takes."""
        ...

    def __init__(self, place: Place) -> None:
        """Open what `build` wrote."""
        ...

    def nearest(self, vector: Vector) -> Found:
        """Return the DEPTH nearest by vector alone."""
        ...

    def __call__(self, text: str, vector: Vector) -> Found:
        """Return the SHOWN best by both legs, at least."""
        ...


def missing(peer: type[Peer]) -> list[str]:
    """Return the packages of `peer` that are not installed."""
    return [each for each in peer.packages if importlib.util.find_spec(each) is None]


def reciprocal_rank(rankings: Iterable[Sequence[int]], k: int = 60) -> Found:
    """Return what is best in all `rankings` together, as it is mostly written."""
    scores: dict[int, float] = {}
    for ranking in rankings:
        for place, row in enumerate(ranking, start=1):
            scores[row] = scores.get(row, 0.0) + 1 / (k + place)
    return sorted(scores, key=lambda row: -scores[row])[:SHOWN]


class Flat:
    """FAISS, looking at every vector: one thread, as one need of many gets."""

    def __init__(self, vectors: Vector) -> None:
        """Hold `vectors`."""
        faiss.omp_set_num_threads(1)
        self._index = faiss.IndexFlatIP(vectors.shape[1])
        self._index.add(vectors)

    def __call__(self, vector: Vector, k: int = DEPTH) -> Found:
        """Return the k nearest."""
        found: Found = self._index.search(vector[None], k)[1][0].tolist()
        return found


class OurIndex:
    """The vector index of the generation, for peers that have none."""

    def __init__(self, place: Place) -> None:
        """Open it, and nothing else of the generation."""
        form = Manifest.load(place.generation).vectors
        self._index = VectorIndex(place.generation, form)

    def __call__(self, vector: Vector) -> Found:
        """Return the DEPTH nearest."""
        rows = self._index.propose(vector, DEPTH).rows
        best = rank(rows, self._index.score(vector, rows), DEPTH).rows
        found: Found = best.tolist()
        return found


class Script:
    """Whoosh's BM25F and parser, FAISS flat: the script that most begin with."""

    name: ClassVar[str] = "Whoosh + FAISS flat script"
    packages: ClassVar[tuple[str, ...]] = ("whoosh", "faiss")

    @staticmethod
    def build(place: Place) -> None:
        """Write the flat index; Whoosh's is the generation's own."""
        vectors = place.read_vectors()
        index = faiss.IndexFlatIP(vectors.shape[1])
        index.add(vectors)
        faiss.write_index(index, str(place.own / "flat.faiss"))

    def __init__(self, place: Place) -> None:
        """Open both indexes."""
        from whoosh.index import open_dir
        from whoosh.qparser import MultifieldParser, OrGroup

        index = open_dir(str(place.generation / WHOOSH))
        self._searcher = index.searcher()
        self._parser = MultifieldParser(list(FIELDS), index.schema, group=OrGroup)
        self._flat = faiss.read_index(str(place.own / "flat.faiss"))

    def nearest(self, vector: Vector) -> Found:
        """Return the DEPTH nearest by vector alone."""
        found: Found = self._flat.search(vector[None], DEPTH)[1][0].tolist()
        return found

    def __call__(self, text: str, vector: Vector) -> Found:
        """Return the best by both legs."""
        plain = re.sub(r"[^\w\s]", " ", text).lower()  # what a parser takes for syntax
        hits = self._searcher.search(self._parser.parse(plain), limit=DEPTH)
        words = [hit.docnum for hit in hits]
        return reciprocal_rank([words, self.nearest(vector)])


class ScriptWithEncoder(Script):
    """The same, needs encoded by sentence-transformers."""

    name: ClassVar[str] = "Whoosh + sentence-transformers + FAISS flat script"
    packages: ClassVar[tuple[str, ...]] = ("whoosh", "faiss", "sentence_transformers")

    def __init__(self, place: Place) -> None:
        """Open both indexes and the model."""
        super().__init__(place)
        from sentence_transformers import SentenceTransformer

        self._model = SentenceTransformer(str(model_folder()))

    def __call__(self, text: str, vector: Vector) -> Found:
        """Return the best by both legs; the vector given is not looked at."""
        return super().__call__(
            text, self._model.encode(text, normalize_embeddings=True)
        )


def model_folder() -> Path:
    """Return where the package of the default model has it."""
    spec = importlib.util.find_spec(PACKAGE)
    assert spec and spec.origin
    return Path(spec.origin).parent / "model"


class Tantivy:
    """tantivy's BM25 with English stems, and the FAISS index that we use."""

    name: ClassVar[str] = "tantivy + the same FAISS index"
    packages: ClassVar[tuple[str, ...]] = ("tantivy", "faiss")

    @staticmethod
    def build(place: Place) -> None:
        """Write the index of words."""
        import tantivy

        schema = tantivy.SchemaBuilder()
        schema.add_text_field("text", stored=False, tokenizer_name="en_stem")
        schema.add_unsigned_field("row", stored=False, fast=True)
        folder = place.own / "tantivy"
        folder.mkdir()
        index = tantivy.Index(schema.build(), path=str(folder))
        writer = index.writer(heap_size=200_000_000, num_threads=1)
        for row, text in enumerate(place.read_texts()):
            document = tantivy.Document(text=text)
            document.add_unsigned("row", row)
            writer.add_document(document)
        writer.commit()
        writer.wait_merging_threads()

    def __init__(self, place: Place) -> None:
        """Open both indexes."""
        import tantivy

        self._index = tantivy.Index.open(str(place.own / "tantivy"))
        self._searcher = self._index.searcher()
        self._vectors = OurIndex(place)

    def nearest(self, vector: Vector) -> Found:
        """Return the DEPTH nearest by vector alone."""
        return self._vectors(vector)

    def __call__(self, text: str, vector: Vector) -> Found:
        """Return the best by both legs."""
        query, _ = self._index.parse_query_lenient(text, ["text"])
        hits = self._searcher.search(query, DEPTH, count=False).hits
        places = [place for _, place in hits]
        words = self._searcher.fast_field_values("row", places)
        return reciprocal_rank([words, self._vectors(vector)])


class Bm25s:
    """bm25s on numba, and the FAISS index that we use."""

    name: ClassVar[str] = "bm25s + the same FAISS index"
    packages: ClassVar[tuple[str, ...]] = ("bm25s", "numba", "faiss")

    @staticmethod
    def build(place: Place) -> None:
        """Write the index of words."""
        import bm25s

        index = bm25s.BM25(backend="numba")
        tokens = bm25s.tokenize(place.read_texts(), show_progress=False)
        index.index(tokens, show_progress=False)
        index.save(str(place.own / "bm25s"))

    def __init__(self, place: Place) -> None:
        """Open both indexes."""
        import bm25s

        self._tokenize = bm25s.tokenize
        self._index = bm25s.BM25.load(str(place.own / "bm25s"), mmap=True)
        self._index.backend = "numba"
        self._vectors = OurIndex(place)

    def nearest(self, vector: Vector) -> Found:
        """Return the DEPTH nearest by vector alone."""
        return self._vectors(vector)

    def __call__(self, text: str, vector: Vector) -> Found:
        """Return the best by both legs."""
        tokens = self._tokenize(text, show_progress=False)
        words, _ = self._index.retrieve(tokens, k=DEPTH, show_progress=False)
        return reciprocal_rank([words[0].tolist(), self._vectors(vector)])


class Lance:
    """LanceDB's hybrid query over IVF-PQ, probing as much as RECALL takes."""

    name: ClassVar[str] = f"LanceDB hybrid, recall >= {RECALL}"
    packages: ClassVar[tuple[str, ...]] = ("lancedb", "pyarrow")
    SETTINGS: ClassVar = [(20, 10), (40, 10), (40, 20), (80, 20), (160, 20), (320, 40)]
    """Partitions probed, and candidates refined for each row wanted."""

    @staticmethod
    def _connected(place: Place) -> Any:
        os.environ.setdefault("LANCEDB_LOG", "error")  # it warns of every query
        import lancedb

        return lancedb.connect(str(place.own))

    @staticmethod
    def build(place: Place) -> None:
        """Write the table and its indexes, and the settings that reach RECALL."""
        import pyarrow

        vectors = place.read_vectors()
        width = vectors.shape[1]
        rows = pyarrow.table(
            {
                "row": pyarrow.array(np.arange(len(vectors))),
                "text": pyarrow.array(place.read_texts()),
                "vector": pyarrow.FixedSizeListArray.from_arrays(
                    pyarrow.array(vectors.reshape(-1)), width
                ),
            }
        )
        table = Lance._connected(place).create_table("capabilities", rows)
        table.create_index(metric="dot", index_type="IVF_PQ")
        table.create_fts_index("text")
        settings = place.own / "settings.json"
        flat = Flat(vectors)
        probes = np.load(place.needs)[-100:]  # not those that are measured with
        truth = [set(flat(each)) for each in probes]
        for chosen in Lance.SETTINGS:
            settings.write_text(json.dumps(chosen))
            peer = Lance(place)
            found = [peer.nearest(each) for each in probes]
            hits = sum(len(t & set(f)) for t, f in zip(truth, found, strict=True))
            if hits >= RECALL * DEPTH * len(probes):
                return

    def __init__(self, place: Place) -> None:
        """Open the table."""
        self._table = Lance._connected(place).open_table("capabilities")
        from lancedb.rerankers import RRFReranker

        self._fuse = RRFReranker()
        self._probed, self._refined = json.loads(
            (place.own / "settings.json").read_text()
        )

    def nearest(self, vector: Vector) -> Found:
        """Return the DEPTH nearest by vector alone."""
        query = self._table.search(vector).limit(DEPTH).nprobes(self._probed)
        found = query.refine_factor(self._refined).select(["row"]).to_arrow()
        rows: Found = found["row"].to_pylist()
        return rows

    def __call__(self, text: str, vector: Vector) -> Found:
        """Return the best by both legs."""
        query = self._table.search(query_type="hybrid").vector(vector).text(text)
        query = query.limit(DEPTH).nprobes(self._probed).refine_factor(self._refined)
        found = query.rerank(self._fuse).select(["row"]).to_arrow()
        rows: Found = found["row"].to_pylist()
        return rows


_given: dict[str, Vector] = {}


def looked_up(texts: list[str]) -> Vector:
    """Return the given vectors of `texts`: what txtai calls to have them encoded."""
    return np.stack([_given[text] for text in texts])


class Txtai:
    """txtai's hybrid embeddings, vectors given."""

    name: ClassVar[str] = "txtai hybrid"
    packages: ClassVar[tuple[str, ...]] = ("txtai", "msgpack")

    @staticmethod
    def _new() -> Any:
        os.environ["ALLOW_RESOLVE_TRANSFORM"] = "True"
        from txtai import Embeddings

        transform = f"{looked_up.__module__}.{looked_up.__name__}"
        return Embeddings(method="external", transform=transform, hybrid=True)

    @staticmethod
    def build(place: Place) -> None:
        """Write the index."""
        texts = place.read_texts()
        _given.update(zip(texts, place.read_vectors(), strict=True))
        embeddings = Txtai._new()
        embeddings.index((row, text, None) for row, text in enumerate(texts))
        embeddings.save(str(place.own / "txtai"))
        _given.clear()

    def __init__(self, place: Place) -> None:
        """Open the index."""
        self._embeddings = Txtai._new()
        self._embeddings.load(str(place.own / "txtai"))

    def nearest(self, vector: Vector) -> Found:
        """Return the DEPTH nearest by vector alone."""
        _given[""] = vector
        return self._rows("", (1.0, 0.0))

    def __call__(self, text: str, vector: Vector) -> Found:
        """Return the best by both legs."""
        _given[text] = vector
        return self._rows(text, (0.5, 0.5))

    def _rows(self, text: str, weights: tuple[float, float]) -> Found:
        return [
            int(row) for row, _ in self._embeddings.search(text, DEPTH, weights=weights)
        ]


PEERS: tuple[type[Peer], ...] = (Script, Tantivy, Bm25s, Lance, Txtai)
