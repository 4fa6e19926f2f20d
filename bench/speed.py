"""How fast the engine is, beside others in the same run on the same data.

    python -m bench.speed CORPUS [--only PART ...] [--json FILE] [--million]

CORPUS is what `python -m bench.corpus` wrote. Prints a table: what was measured at how
many capabilities, ours, the other's, the ratio, and the aim. Everything that answers
does so in a process of its own; contestants take turns, and ratios are of medians. What
bench/peers.py names is compared with where it is installed.
"""

import argparse
import gc
import json
import os
import platform
import resource
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bench import entrants
from bench.contest import (
    Answerer,
    Contestant,
    Question,
    Times,
    apart,
    memory_mb,
    rounds,
)
from bench.corpus import GivenEncoder
from bench.peers import (
    DEPTH,
    PEERS,
    SHOWN,
    Flat,
    Found,
    Lance,
    Peer,
    Place,
    ScriptWithEncoder,
    Tantivy,
    Txtai,
    missing,
)
from bench.serving import load, scratch, served, shell
from bench.table import HEAD, Row, times_faster, within
from index.builder import build
from index.events import EventLog
from index.home import Home
from index.keyword import fields
from index.model import find
from index.source import read
from index.workers import HERE, Processes, Workers
from web.__main__ import ALLOCATIONS

SIZES, MILLION = (10_000, 100_000), 1_000_000

WARM, FEW, MANY, ALONE = 5, 60, 400, 1000
"""Needs asked to warm up; where somebody takes long; of two legs; of ours alone."""

CLIENTS = 2

PROCESSES = (2, 4)
"""Processes that build, beside one alone."""

SHELL, STARTS = 7, 3
"""Runs of `search` and of `serve`."""

NEEDS = "needs.npy"
"""The vectors of the needs."""

PARTS = ("legs", "hybrid", "answer", "http", "encoder", "build")

LEAST = {Tantivy.name: 1.0, Lance.name: 20.0, Txtai.name: 10.0}
"""How many times faster than each we are to be."""


@dataclass(frozen=True, slots=True)
class Corpus:
    """A folder that bench/corpus.py wrote."""

    folder: Path

    def home(self, size: int) -> Path:
        """Return the home of the generation of this size."""
        return self.folder / f"home-{size}"

    def peer(self, name: str, size: int) -> Path:
        """Return the folder of what a peer made."""
        return self.folder / f"peers-{size}" / "".join(filter(str.isalnum, name))

    def place(self, name: str, size: int) -> Place:
        """Return what a peer is made of, written the first time it is asked for."""
        texts = self.folder / f"peers-{size}" / "texts.json"
        with Home(self.home(size)).open() as generation:
            if not texts.exists():
                texts.parent.mkdir()
                words = [
                    ". ".join(filter(None, fields(artifact, each).values()))
                    for artifact in generation.catalog.values()
                    for each in artifact.capabilities
                ]
                texts.write_text(json.dumps(words), encoding="utf-8")
            needs = self.folder / NEEDS
            return Place(generation.folder, texts, needs, self.peer(name, size))

    def questions(self, size: int) -> list[Question]:
        """Return all needs with their vectors, which are kept beside them."""
        lines = (self.folder / "needs.jsonl").read_text(encoding="utf-8").splitlines()
        texts = [json.loads(line)["text"] for line in lines]
        with Home(self.home(size)).open() as generation:
            encoder = generation.encoder()
        assert encoder
        kept = self.folder / NEEDS
        if not kept.exists():
            np.save(kept, np.stack([encoder.encode_need(text) for text in texts]))
        return list(map(Question, texts, np.load(kept)))


def megabytes(path: Path) -> float:
    """Return the size of a file, or of all files in a folder."""
    files = (each for each in (path, *path.rglob("*")) if each.is_file())
    return sum(each.stat().st_size for each in files) / 1e6


class Bench:
    """One run: what it measures, and on what."""

    def __init__(self, corpus: Corpus) -> None:
        """Measure on `corpus`; the aims are for the last of SIZES."""
        self.corpus = corpus
        self._questions: list[Question] = []
        self._answered: dict[int, Times] = {}

    def questions(self, size: int) -> list[Question]:
        """Return the needs; their vectors are the same at every size."""
        self._questions = self._questions or self.corpus.questions(size)
        return self._questions

    def asked(self, size: int, count: int) -> list[Question]:
        """Return the first needs after those that warm up."""
        return self.questions(size)[WARM : WARM + count]

    def start(self, make: Callable[[], Answerer], size: int) -> Contestant:
        """Return a contestant that is warm."""
        questions = self.questions(size)
        contestant = Contestant(make, questions[0])
        contestant.ask(questions[:WARM])
        return contestant

    @contextmanager
    def ring(
        self, size: int, *makes: Callable[[], Answerer]
    ) -> Iterator[list[Contestant]]:
        """Yield contestants, all of them started and warm."""
        started: list[Contestant] = []
        try:
            started.extend(self.start(make, size) for make in makes)
            yield started
        finally:
            for each in started:
                each.close()

    def aim(self, size: int, value: float) -> float | None:
        """Return `value` at the size that the aims are for."""
        return value if size == SIZES[-1] else None

    def legs(self, size: int) -> Iterator[Row]:
        """Yield our legs beside Whoosh's own search and FAISS flat."""
        home, place = self.corpus.home(size), self.corpus.place("flat", size)
        with self.ring(
            size, partial(entrants.our_keyword, home), partial(entrants.whoosh, home)
        ) as both:
            (own, mine), (other, theirs) = rounds(both, self.asked(size, FEW))
        apart = max(
            float(np.abs(np.sort(a.scores) - np.sort(b.scores)).max(initial=0))
            for a, b in zip(mine, theirs, strict=True)
        )
        note = f" (scores at most {apart:.0e} apart)"
        yield times_faster(
            size, "keyword leg; Whoosh", own, other, self.aim(size, 200), note
        )
        with self.ring(
            size, partial(entrants.our_vector, home), partial(entrants.flat, place)
        ) as both:
            (own, found), (other, truth) = rounds(both, self.asked(size, MANY))
        note = f" (recall@{DEPTH} {recall(found, truth):.4f})"
        yield times_faster(
            size, "vector leg; FAISS flat", own, other, self.aim(size, 10), note
        )

    def hybrid(self, size: int) -> Iterator[Row]:
        """Yield both legs and their fusion, beside peers."""
        asked = self.asked(size, FEW)
        kinds = [kind for kind in PEERS if self._there(kind)]
        made = [self._made(kind, size) for kind in kinds]
        home = self.corpus.home(size)
        makes = [partial(entrants.our_legs, home)]
        for kind in kinds:
            place = self.corpus.place(kind.name, size)
            makes.append(partial(entrants.peer, kind, place))
        makes.append(partial(entrants.our_ranker, home))
        with self.ring(size, *makes) as ring:
            times = [each for each, _ in rounds(ring, asked)]
            rates = [each.at_once(asked, CLIENTS) for each in ring]
            told = [f"ready in {e.ready_s:.1f} s, {e.memory_mb:,.0f} MB" for e in ring]
        for kind, its, rate, said, of in zip(
            kinds, times[1:-1], rates[1:-1], told[1:-1], made, strict=True
        ):
            what = f"both legs and fusion, vector given; {kind.name}"
            least = LEAST.get(kind.name)
            aim = None if least is None else self.aim(size, least)
            yield times_faster(size, what, times[0], its, aim)
            yield Row(
                size,
                f"the same, {CLIENTS} at once; {kind.name}",
                f"{rates[0]:,.0f} a second ({told[0]})",
                f"{rate:,.0f} a second ({said}, {of})",
                rates[0] / rate,
            )
        what = "all four legs, what any proposes judged by each; two legs alone"
        yield times_faster(size, what, times[-1], times[0], None)

    def _there(self, kind: type[Peer]) -> bool:
        """Return whether a peer can take part; say so if not."""
        if absent := missing(kind):
            _say(f"{kind.name}: left out, {', '.join(absent)} not installed")
        return not absent

    def _made(self, kind: type[Peer], size: int) -> str:
        """Return what is known of a peer's index, which is built where it is not."""
        place = self.corpus.place(kind.name, size)
        told = place.own / "built.json"
        if not told.exists():
            _say(f"{kind.name}: building {size:,}")
            shutil.rmtree(place.own, ignore_errors=True)
            place.own.mkdir(parents=True)
            asked = self.asked(size, FEW)
            index = Flat(place.read_vectors())
            truth = [index(each.vector) for each in asked]
            seconds, found = apart(entrants.built_peer, kind, place, asked)
            facts = {
                "seconds": seconds,
                "recall": recall(found, truth),
                "megabytes": megabytes(place.own),
            }
            told.write_text(json.dumps(facts))
        facts = json.loads(told.read_text())
        return (
            f"recall@{DEPTH} {facts['recall']:.3f}, built in {facts['seconds']:.0f} s, "
            f"{facts['megabytes']:,.0f} MB on disk"
        )

    def answer(self, size: int) -> Iterator[Row]:
        """Yield a need to explained hits in one process, encoder included."""
        home = self.corpus.home(size)
        with self.ring(size, partial(entrants.ours, home)) as (alone,):
            times = Times(alone.ask(self.asked(size, ALONE))[0])
        self._answered[size] = times
        what = f"need to {SHOWN} explained hits, in process"
        yield within(size, f"{what}, p50", times.p50, "ms", self.aim(size, 5))
        yield within(size, f"{what}, p99", times.p99, "ms", self.aim(size, 10))
        before = [each for each in self._answered if each < size]
        if before:
            growth = times.p50 / self._answered[max(before)].p50
            what = f"growth of p50 from {max(before):,}"
            yield within(size, what, growth, "times", self.aim(size, 2))
        kind = ScriptWithEncoder
        self._made(kind, size)
        place = self.corpus.place(kind.name, size)
        with self.ring(
            size, partial(entrants.ours, home), partial(entrants.peer, kind, place)
        ) as both:
            (own, _), (other, _) = rounds(both, self.asked(size, FEW))
        yield times_faster(
            size, f"the same; {kind.name}", own, other, self.aim(size, 15)
        )
        with (
            scratch(home) as other_home,
            self.ring(size, partial(entrants.ours_logged, other_home)) as (alone,),
        ):
            took, logging = alone.ask(self.asked(size, FEW))
        share = 100 * statistics.median(logging) / statistics.median(took)
        what = "hit events of an answer, share of its time in process"
        yield within(size, what, share, "%", self.aim(size, 1))

    def http(self, size: int) -> Iterator[Row]:
        """Yield what a served process and the shell take."""
        needs = self.corpus.folder / "needs.jsonl"
        with scratch(self.corpus.home(size)) as home:
            with served(home) as (port, ready, pid):
                two = load(port, needs, clients=CLIENTS, first=ALONE, count=ALONE)
                one = load(port, needs, clients=1, first=0, count=ALONE)
                memory = memory_mb(pid)
            with closing(EventLog.beside(home)) as log:
                logged, expected = len(log), one["events"] + two["events"]
        times = Times(one["ms"])
        yield within(
            size, "the same over HTTP, p50", times.p50, "ms", self.aim(size, 7)
        )
        yield within(
            size, "the same over HTTP, p99", times.p99, "ms", self.aim(size, 20)
        )
        rate = len(two["ms"]) / two["seconds"]
        least = self.aim(size, 300)
        yield Row(
            size,
            f"requests a second, {CLIENTS} clients, distinct needs",
            f"{rate:,.0f}, p99 {Times(two['ms']).p99:.1f} ms; "
            f"{logged:,} of {expected:,} events logged",
            aim="" if least is None else f"{least:g}",
            met=None if least is None else rate >= least and logged == expected,
        )
        readies = [ready]
        with scratch(self.corpus.home(size)) as home:
            for _ in range(STARTS - 1):
                with served(home) as (_, ready, _):
                    readies.append(ready)
            commands = [shell(home, each.text) for each in self.asked(size, SHELL)]
        yield within(
            size,
            "`serve` ready from cold",
            statistics.median(readies),
            "s",
            self.aim(size, 2),
        )
        yield within(
            size, "memory of the whole server", memory, "MB", self.aim(size, 600)
        )
        yield within(
            size,
            "`search` from the shell, warm disk",
            statistics.median(commands),
            "s",
            self.aim(size, 0.7),
        )

    def encoder(self, size: int) -> Iterator[Row]:
        """Yield needs and passages encoded, beside sentence-transformers."""
        place = self.corpus.place("flat", size)
        index = Flat(place.read_vectors())
        home = self.corpus.home(size)
        asked = self.asked(size, MANY)
        with self.ring(
            size, partial(entrants.our_encoder, home), entrants.torch_encoder
        ) as both:
            (own, mine), (other, theirs) = rounds(both, asked)
        overlap = recall([index(v, 10) for v in mine], [index(v, 10) for v in theirs])
        note = f" (same top 10: {overlap:.3f})"
        yield times_faster(
            size, "one need encoded; sentence-transformers", own, other, 3, note
        )
        texts = place.read_texts()
        step = max(1, len(texts) // 400)
        batches = [
            Question("\n".join(texts[first :: step * 4][:100]), asked[0].vector)
            for first in range(4)
        ]
        with self.ring(size, entrants.our_passages, entrants.torch_passages) as both:
            (own, mine), (other, theirs) = rounds(both, batches)
        rows = np.concatenate(mine), np.concatenate(theirs)
        overlap = recall(
            [index(v, 10) for v in rows[0]], [index(v, 10) for v in rows[1]]
        )
        rates = [len(rows[0]) / sum(each.ms) * 1000 for each in (own, other)]
        yield Row(
            size,
            "passages encoded a second; sentence-transformers",
            f"{rates[0]:,.0f} (same top 10: {overlap:.3f})",
            f"{rates[1]:,.0f}",
            rates[0] / rates[1],
            "4 times faster, 2.5 where the processor has no AMX",
            rates[0] / rates[1] >= (4 if has_amx() else 2.5),
        )

    def build(self, size: int) -> Iterator[Row]:
        """Yield what a build takes, embeddings given, and what it leaves."""
        several = {}
        for count in PROCESSES:
            with tempfile.TemporaryDirectory() as folder:
                given = (self.corpus.folder, size, Path(folder), count)
                several[count] = apart(built, *given)
        with tempfile.TemporaryDirectory() as folder:
            found = apart(built, self.corpus.folder, size, Path(folder))
            generation = next((Path(folder) / "generations").glob("0*"))
            sizes = {each.name: megabytes(each) for each in generation.iterdir()}
        what = f"build, embeddings given ({_stages(found)})"
        yield within(size, what, found["seconds"], "s", self.aim(size, 60))
        for count, other in several.items():
            what = f"the same, by {count} processes ({_stages(other)})"
            yield within(size, what, other["seconds"], "s", self.aim(size, 60))
        yield within(size, "peak memory of the build", found["memory_mb"], "MB")
        largest = sorted(sizes, key=lambda name: -sizes[name])[:5]
        parts = ", ".join(f"{name} {sizes[name]:,.0f}" for name in largest)
        yield within(
            size, f"the generation on disk ({parts})", sum(sizes.values()), "MB"
        )

    def million(self, size: int) -> Iterator[Row]:
        """Yield what a million capabilities take, once."""
        home, place = self.corpus.home(size), self.corpus.place("flat", size)
        with self.ring(size, partial(entrants.ours, home)) as (alone,):
            times = Times(alone.ask(self.asked(size, ALONE))[0])
            memory, ready = alone.memory_mb, alone.ready_s
        what = f"need to {SHOWN} explained hits, in process"
        yield within(size, f"{what}, p50", times.p50, "ms", 12)
        yield within(size, f"{what}, p99", times.p99, "ms")
        yield within(size, "memory of the process", memory, "MB", 4000)
        yield within(size, "open and first answer", ready, "s")
        asked = self.asked(size, FEW)
        makes = partial(entrants.our_vector, home), partial(entrants.flat, place)
        with self.ring(size, *makes) as both:
            (own, found), (other, truth) = rounds(both, asked)
        near = recall(found, truth)
        note = f" (recall@{DEPTH} {near:.4f})"
        yield times_faster(size, "vector leg; FAISS flat", own, other, 10, note)
        yield Row(size, f"recall@{DEPTH}", f"{near:.4f}", aim="0.95", met=near >= 0.95)


def _stages(found: dict[str, Any]) -> str:
    return ", ".join(f"{name} {took:.1f}" for name, took in found["stages"].items())


def built(corpus: Path, size: int, home: Path, count: int = 1) -> dict[str, Any]:
    """Return the seconds of a build, embeddings given, of its stages, and its memory.

    The stages are what it reports to whoever waits; `count` processes work for it.
    """
    gc.set_threshold(ALLOCATIONS, 20, 50)  # as the command does
    encoder = GivenEncoder(find(), corpus, size)
    workers: Workers = Processes(count) if count > 1 else HERE
    started = time.perf_counter()
    began = {"catalogue": started}

    def progress(stage: str, done: int, total: int) -> None:
        began.setdefault(stage, time.perf_counter())

    catalog = read([corpus / f"{size}.jsonl"])
    build(catalog, encoder, Home(home), progress, workers)
    ends = [*list(began.values())[1:], time.perf_counter()]
    return {
        "seconds": ends[-1] - started,
        "stages": {
            name: end - begin
            for (name, begin), end in zip(began.items(), ends, strict=True)
        },
        "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def recall(found: Sequence[Found], truth: Sequence[Found]) -> float:
    """Return the mean share of what is true that was found."""
    shares = [len({*f} & {*t}) / len(t) for f, t in zip(found, truth, strict=True)]
    return statistics.mean(shares)


def has_amx() -> bool:
    """Return whether the processor multiplies matrices of bfloat16."""
    try:
        return "amx_bf16" in Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False


def _say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--capabilities", nargs="+", type=int, default=SIZES)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--json", type=Path, help="also write the rows to this file")
    parser.add_argument("--million", action="store_true", help=f"also {MILLION:,}")
    given = parser.parse_args()
    bench = Bench(Corpus(given.corpus))
    print(
        f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores, {processor()}, ", end=""
    )
    print(f"Python {platform.python_version()}\n\n{HEAD}", flush=True)
    rows: list[Row] = []
    sizes = sorted(given.capabilities)
    parts = [
        (part, size)
        for size in sizes
        for part in given.only
        if part != "encoder" or size == sizes[-1]  # it is the same at every size
    ]
    for part, size in [*parts, *[("million", MILLION)] * given.million]:
        _say(f"{part} of {size:,}")
        for row in getattr(bench, part)(size):
            print(row, flush=True)
            rows.append(row)
    if given.json:
        text = json.dumps([asdict(each) for each in rows], indent=1)
        given.json.write_text(f"{text}\n", encoding="utf-8")


def processor() -> str:
    """Return the name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


if __name__ == "__main__":
    main()
