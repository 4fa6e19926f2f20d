"""Text to unit vectors: the Encoder protocol, and the exported encoder of a generation.

An encoder is exported once, while an index is built, so that answering a need loads a
small runtime instead of a training framework.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tokenizers import Tokenizer

from index.errors import EncoderError

Vectors = NDArray[np.float32]
"""Shape (texts, width); each row has norm 1."""


class NeedEncoder(Protocol):
    """What answering a need takes."""

    def encode_need(self, text: str) -> NDArray[np.float32]:
        """Return the unit vector of a need, shape (width,)."""
        ...

    def is_word(self, text: str) -> bool:
        """Return whether `text` is one whole word of the model's vocabulary."""
        ...


class Encoder(NeedEncoder, Protocol):
    """What building an index takes: one model for passages and needs."""

    @property
    def name(self) -> str:
        """The model's name, for people."""
        ...

    @property
    def digest(self) -> str:
        """SHA-256 of the model: vectors of different digests do not compare."""
        ...

    def encode_passages(self, texts: Sequence[str]) -> Vectors:
        """Return a unit vector for each passage."""
        ...

    def export(self, folder: Path) -> bool:
        """Write what ExportedEncoder opens; False if this model has no such form."""
        ...


NEED_TOKENS = 160
"""Tokens of a need that are encoded at most: 500 characters of prose have up to 140.
What has more, such as a row of digits or signs, would cost twice the time."""


class ExportedEncoder:
    """A sentence-transformers model as ONNX graph and tokenizer, for needs."""

    def __init__(self, folder: Path) -> None:
        """Open what an encoder's `export` wrote; EncoderError if it cannot be run."""
        settings = json.loads((folder / "encoder.json").read_bytes())
        self._prompt: str = settings["need_prompt"]
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(min(settings["max_tokens"], NEED_TOKENS))
        self._tokenizer.no_padding()
        options = onnxruntime.SessionOptions()
        # Two threads gain a millisecond for one need alone, and lose ten where another
        # need, or anything else, keeps the other core busy: they spin for each other.
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(
                folder / "model.onnx", options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # the runtime's exceptions share no other base
            message = f"the encoder of the generation does not run here: {error}"
            raise EncoderError(message) from error
        self._inputs = {each.name for each in self._session.get_inputs()}

    def encode_need(self, text: str) -> NDArray[np.float32]:
        """Return the unit vector of a need, shape (width,)."""
        tokens = self._tokenizer.encode(self._prompt + text)
        columns = {"input_ids": tokens.ids, "attention_mask": tokens.attention_mask}
        feed: dict[str, Any] = {
            name: np.array([values], dtype=np.int64)
            for name, values in columns.items()
            if name in self._inputs
        }
        vector: NDArray[np.float32] = self._session.run(None, feed)[0][0]
        unit: NDArray[np.float32] = vector / np.sqrt(vector @ vector)
        return unit

    def is_word(self, text: str) -> bool:
        """Return whether `text` is one whole word of the model's vocabulary."""
        pieces = self._tokenizer.encode(text, add_special_tokens=False).tokens
        return [piece.lower() for piece in pieces] == [text.lower()]
