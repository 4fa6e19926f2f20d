"""Which terms stand where: a segment of Whoosh's index for each shard, and impacts.

Whoosh is the index of record: its segments hold the postings with their places, and its
statistics are those of all segments. It makes an object of every word and of every
posting; here they stay numbers in arrays until its own codec writes them.
"""

import json
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from whoosh.codec.whoosh3 import W3Codec, W3Segment
from whoosh.fields import TEXT, Schema
from whoosh.filedb.filestore import FileStorage, RamStorage
from whoosh.index import TOC
from whoosh.util.numeric import byte_to_length, length_to_byte

from index.keyword import ANALYZER, BM25, FIELDS, WORD, fields, terms_of
from index.shards import Shard

NAME = "MAIN"
"""Whoosh's own name of an index that has none."""

Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Part:
    """A shard's segment of Whoosh's index, and its postings as arrays.

    A pair is a term and a capability, numbered within the shard, that has it in some
    field. `pairs` is the number of those of each term, `rows` the capability of each.
    A posting is one field of a pair: `held` is how many each pair has, `where` the
    number of the field, `frequencies` how often the term is in it. `lengths` is how
    many terms each capability has in each field, shape (capabilities, fields).
    """

    name: str
    segment: bytes
    terms: list[str]
    pairs: NDArray[np.int32]
    rows: NDArray[np.int32]
    held: NDArray[np.uint8]
    where: NDArray[np.uint8]
    frequencies: NDArray[np.int32]
    lengths: NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class _Postings:
    """The postings of one field, by term and capability.

    The places of posting `n` in its text are `places[starts[n] : starts[n + 1]]`.
    """

    terms: Numbers
    rows: Numbers
    starts: Numbers
    places: Numbers

    @property
    def frequencies(self) -> Numbers:
        return np.diff(self.starts)


class _Words(dict[str, int]):
    """Words, numbered in the order in which they are met."""

    def __missing__(self, word: str) -> int:
        self[word] = number = len(self)
        return number


def part(shard: Shard) -> Part:
    """Return what the index holds of `shard`; the same lines give the same bytes."""
    words = _Words()
    texts = {field: array("q") for field in FIELDS}
    counts: dict[str, list[int]] = {field: [] for field in FIELDS}
    for artifact in shard.artifacts:
        for capability in artifact.capabilities:
            for field, text in fields(artifact, capability).items():
                found = WORD.findall(text)
                texts[field].extend(map(words.__getitem__, found))
                counts[field].append(len(found))
    each = [*map(terms_of, words)]
    terms = sorted(set(chain.from_iterable(each)))
    number = {term: place for place, term in enumerate(terms)}
    own = np.array([number[term] for term in chain.from_iterable(each)], dtype=np.int64)
    ends = np.cumsum([*map(len, each)], dtype=np.int64)
    size = shard.size
    postings = {}
    lengths = np.zeros((size, len(FIELDS)), dtype=np.int32)
    for column, field in enumerate(FIELDS):
        term, row, place = _spread(
            np.array(texts[field]), np.array(counts[field]), own, ends
        )
        lengths[:, column] = np.bincount(row, minlength=size)
        postings[field] = _sorted(term, row, place)
    name = shard.digest[:16]
    segment = _segment(name, terms, postings, lengths)
    return Part(name, segment, terms, *_pairs(postings, len(terms), size), lengths)


def _spread(
    words: Numbers, counts: Numbers, terms: Numbers, ends: Numbers
) -> tuple[Numbers, Numbers, Numbers]:
    """Return the terms of `words`, and the row and the place in its text of each.

    Every row's text is so many of the words as `counts` says. The terms of word `n`
    are those of `terms` that follow those of the word before, up to `ends[n]`.
    """
    rows = np.repeat(np.arange(len(counts)), counts)
    places = _ranges(counts)
    own = np.diff(ends, prepend=0)[words]
    found = terms[np.repeat(ends[words] - own, own) + _ranges(own)]
    return found, np.repeat(rows, own), np.repeat(places, own)


def _ranges(counts: Numbers) -> Numbers:
    """Return the numbers from 0 to before each of `counts`, one after the other."""
    ends = np.cumsum(counts)
    return np.arange(counts.sum()) - np.repeat(ends - counts, counts)


def _sorted(terms: Numbers, rows: Numbers, places: Numbers) -> _Postings:
    """Return occurrences, given by row and place, as postings."""
    order = np.argsort(terms, kind="stable")
    terms, rows, places = terms[order], rows[order], places[order]
    starts = np.flatnonzero(_changes(terms) | _changes(rows))
    return _Postings(terms[starts], rows[starts], np.append(starts, len(terms)), places)


def _changes(values: Numbers) -> NDArray[np.bool_]:
    """Return where a value differs from the one before it; the first one does."""
    changed: NDArray[np.bool_] = np.diff(values, prepend=-1) != 0
    return changed


def _pairs(
    postings: dict[str, _Postings], terms: int, size: int
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.uint8], NDArray[np.uint8],
           NDArray[np.int32]]:  # fmt: skip
    """Return the `pairs`, `rows`, `held`, `where` and `frequencies` of a Part."""
    every = postings.values()
    key = np.concatenate([each.terms * size + each.rows for each in every])
    where = np.repeat(np.arange(len(every)), [len(each.terms) for each in every])
    frequencies = np.concatenate([each.frequencies for each in every])
    order = np.argsort(key, kind="stable")
    starts = np.flatnonzero(_changes(key[order]))
    distinct = key[order][starts]
    return (
        np.bincount(distinct // size, minlength=terms).astype(np.int32),
        (distinct % size).astype(np.int32),
        np.diff(np.append(starts, len(key))).astype(np.uint8),
        where[order].astype(np.uint8),
        frequencies[order].astype(np.int32),
    )


def _schema() -> Schema:
    return Schema(**{field: TEXT(analyzer=ANALYZER, phrase=True) for field in FIELDS})


def _segment(
    name: str,
    terms: Sequence[str],
    postings: dict[str, _Postings],
    lengths: NDArray[np.int32],
) -> bytes:
    """Return the file of a segment as Whoosh's codec writes it."""
    schema, storage, codec = _schema(), RamStorage(), W3Codec()
    segment = W3Segment(codec, NAME, segid=name)
    documents = codec.per_document_writer(storage, segment)
    for row, own in enumerate(lengths.tolist()):
        documents.start_doc(row)
        for field, length in zip(FIELDS, own, strict=True):
            documents.add_field(field, schema[field], None, length)
        documents.finish_doc()
    documents.close()
    encoded = [term.encode() for term in terms]
    writer = codec.field_writer(storage, segment)
    columns = {field: column for column, field in enumerate(FIELDS)}
    for field in sorted(FIELDS):
        own = postings[field]
        if not len(own.terms):
            continue
        writer.start_field(field, schema[field])
        last = -1
        for term, row, frequency, value, length in zip(
            own.terms.tolist(),
            own.rows.tolist(),
            own.frequencies.astype(np.float64).tolist(),
            _encoded(own, schema[field].format),
            lengths[own.rows, columns[field]].tolist(),
            strict=True,
        ):
            if term != last:
                if last >= 0:
                    writer.finish_term()
                writer.start_term(encoded[term])
                last = term
            writer.add(row, frequency, value, length)
        writer.finish_term()
        writer.finish_field()
    writer.close()
    segment.set_doc_count(len(lengths))
    segment.create_compound_file(storage)
    content: bytes = storage.files[segment.make_filename(segment.COMPOUND_EXT)]
    return content


def _encoded(postings: _Postings, form: Any) -> Iterator[bytes]:
    """Yield the places of each posting as Whoosh encodes them.

    Equal ones are one object: a block is pickled, and a pickle tells the two apart.
    """
    encode = cache(form.encode)
    places = postings.places.tolist()
    for start, end in pairwise(postings.starts.tolist()):
        yield encode(tuple(places[start:end]))


def join(parts: Sequence[Part], folder: Path) -> int:
    """Write the index that `parts` make up, in order; return the number of terms.

    The impact of a term on a capability is the sum over fields of the field's weight
    times Whoosh's own BM25F score of the posting, so that a need's score is a sum of
    impacts. Capabilities are numbered as Whoosh numbers its documents.
    """
    store = folder / "whoosh"
    store.mkdir()
    segments = []
    for each in parts:
        segment = W3Segment(W3Codec(), NAME, len(each.lengths), each.name)
        segment.compound = True
        sums = each.lengths.sum(axis=0, dtype=np.int64).tolist()
        # Where Whoosh looks for them, and its codec puts them.
        vars(segment)["_fieldlengths"] = dict(zip(FIELDS, sums, strict=True))
        name = segment.make_filename(segment.COMPOUND_EXT)
        (store / name).write_bytes(each.segment)
        segments.append(segment)
    TOC(_schema(), segments, 0).write(FileStorage(str(store)), NAME)
    return _compile(parts, folder)


def _compile(parts: Sequence[Part], folder: Path) -> int:
    """Write every term's impacts to `folder`; return the number of terms."""
    terms = sorted(set().union(*(each.terms for each in parts)))
    number = {term: place for place, term in enumerate(terms)}
    numbers = [np.array([number[term] for term in each.terms], int) for each in parts]
    size = sum(len(each.lengths) for each in parts)
    counts = np.zeros(len(terms), dtype=np.int64)
    found = np.zeros((len(terms), len(FIELDS)), dtype=np.int64)
    for own, each in zip(numbers, parts, strict=True):
        counts[own] += each.pairs
        term = np.repeat(own, each.pairs).repeat(each.held)
        key = term * len(FIELDS) + each.where
        found += np.bincount(key, minlength=found.size).reshape(found.shape)
    means = sum(each.lengths.sum(axis=0) for each in parts) / size
    idf = np.log(size / (found + 1)) + 1
    offsets = np.concatenate([[0], np.cumsum(counts)])
    rows = np.zeros(offsets[-1], dtype=np.int32)
    impacts = np.zeros(offsets[-1], dtype=np.float32)
    free, first = offsets[:-1].copy(), 0
    for own, each in zip(numbers, parts, strict=True):
        before = np.cumsum(each.pairs) - each.pairs
        places = np.arange(len(each.rows)) + np.repeat(free[own] - before, each.pairs)
        rows[places] = each.rows + first
        impacts[places] = _impacts(each, own, idf, means)
        free[own] += each.pairs
        first += len(each.lengths)
    totals = np.bincount(rows, weights=impacts, minlength=size)
    tops = np.maximum.reduceat(impacts, offsets[:-1]) if len(terms) else impacts
    np.save(folder / "offsets.npy", offsets)
    np.save(folder / "rows.npy", rows)
    np.save(folder / "impacts.npy", impacts)
    np.save(folder / "totals.npy", totals)
    np.save(folder / "tops.npy", tops.astype(np.float64))
    (folder / "terms.json").write_text(
        json.dumps({"capabilities": size, "terms": terms}), encoding="utf-8"
    )
    return len(terms)


def _impacts(
    part: Part,
    numbers: NDArray[np.int64],
    idf: NDArray[np.float64],
    means: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the impact of each pair of `part`, whose terms have `numbers` in `idf`.

    The formula is `whoosh.scoring.bm25`, over arrays; a test holds the two together.
    """
    term = np.repeat(numbers, part.pairs).repeat(part.held)
    row = np.repeat(part.rows, part.held)
    weights = np.array([*FIELDS.values()])
    # Whoosh remembers a length as one byte.
    lengths = _LENGTHS[part.lengths[row, part.where].clip(max=len(_LENGTHS) - 1)]
    b, k1 = BM25.B, BM25.K1
    saturation = part.frequencies + k1 * (1 - b + b * lengths / means[part.where])
    scores = idf[term, part.where] * part.frequencies * (k1 + 1) / saturation
    starts = np.cumsum(part.held, dtype=np.int64) - part.held
    if not len(starts):
        return np.zeros(0)
    summed: NDArray[np.float64] = np.add.reduceat(weights[part.where] * scores, starts)
    return summed


_LENGTHS = np.array([byte_to_length(length_to_byte(n)) for n in range(106_375)])
"""What Whoosh makes of each length; the longest it can tell is the last."""
