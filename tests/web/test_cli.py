import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from index.errors import MismatchError, SettingError
from index.home import Home
from tests.conftest import ARTIFACTS, HashingEncoder, to_jsonl
from web.cli import main
from web.settings import Settings, open_engine

Run = Callable[..., Result]


@pytest.fixture
def built(instead: Run, catalog_file: Path) -> None:
    assert instead("build", "--catalog", catalog_file).exit_code == 0


def as_json(result: Result) -> Any:
    assert result.exit_code == 0
    return json.loads(result.stdout)


def refusal(result: Result, exit_code: int) -> str:
    """Return the one line of a refused command."""
    assert result.exit_code == exit_code
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    return line


def test_a_build_says_what_it_built(instead: Run, catalog_file: Path) -> None:
    result = instead("build", "--catalog", catalog_file)
    assert result.stdout.startswith(
        "generation 000001: 4 artifacts, 6 capabilities, 12 of 12 passages encoded"
    )
    assert "passages 12/12" in result.stderr
    again = as_json(instead("build", "--catalog", catalog_file, "--json"))
    assert again["id"] == "000002"
    assert again["encoded"] == 0
    assert again["current"] is True


def test_a_build_in_processes_is_the_same(
    instead: Run, settings: Settings, catalog_file: Path
) -> None:
    files = []
    for workers in (1, 2):
        built = instead("build", "--catalog", catalog_file, "--workers", workers)
        assert built.exit_code == 0
        with Home(settings.home).open() as generation:
            files.append(generation.manifest.files)
    assert files[0] == files[1]


def test_a_build_by_processes_and_a_cluster_at_once_is_refused(instead: Run) -> None:
    result = instead("build", "--workers", "2", "--ray", "auto")
    assert result.exit_code == 2
    assert "--workers and --ray exclude each other" in result.stderr


def test_a_build_on_ray_says_what_to_install(
    instead: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    assert "pip install 'instead[ray]'" in refusal(instead("build", "--ray", "auto"), 2)


def test_several_files_and_folders_are_one_catalogue(
    instead: Run, tmp_path: Path
) -> None:
    (tmp_path / "folder").mkdir()
    one = to_jsonl(ARTIFACTS[:1], tmp_path / "one.jsonl")
    to_jsonl(ARTIFACTS[1:], tmp_path / "folder" / "rest.jsonl")
    folder = tmp_path / "folder"
    build = instead("build", "--catalog", one, "--catalog", folder, "--json")
    assert as_json(build)["artifacts"] == 4


@pytest.mark.usefixtures("built")
def test_a_search_is_kept_to_what_is_asked_for(instead: Run) -> None:
    for option, value, slug in (
        ("--deployment", "edge", "whisper-tiny"),
        ("--pricing", "paid", "sketcher"),
        ("--license", "MIT", "kosmos-2"),
        ("--provider", "Microsoft", "kosmos-2"),
    ):
        found = as_json(instead("search", "picture", option, value, "--json"))
        assert [each["artifact"]["slug"] for each in found["matches"]] == [slug]
    assert instead("search", "picture", "--provider", "Nobody").exit_code == 1


@pytest.mark.usefixtures("built")
def test_a_search_names_artifact_and_capability(instead: Run) -> None:
    result = instead("search", "grounded captioning", "-k", "2")
    assert result.exit_code == 0
    assert " 1  Kosmos-2  model · Microsoft · MIT" in result.stdout
    assert "Grounded captioning: Describes an image." in result.stdout
    assert "2 of 4 artifacts, generation 000001" in result.stdout
    assert all(len(line) <= 80 for line in result.stdout.splitlines())
    assert result.stderr == ""


@pytest.mark.usefixtures("built")
def test_a_corrected_word_is_told(instead: Run) -> None:
    result = instead("search", "gruonded captioning")
    assert "Read “gruonded” as “grounded”." in result.stdout
    content = as_json(instead("search", "gruonded captioning", "--json"))
    assert content["query"] == "gruonded captioning"
    assert content["need"]["topic"] == "grounded captioning"
    assert content["need"]["corrections"] == [
        {"text": "gruonded", "start": 0, "end": 8, "readAs": "grounded"}
    ]


@pytest.mark.usefixtures("built")
def test_an_explained_search_shows_the_sum(instead: Run) -> None:
    result = instead("search", "grounded captioning", "--explain")
    assert "the term 'caption'" in result.stdout
    content = as_json(instead("search", "grounded captioning", "--explain", "--json"))
    tree = content["matches"][0]["explanation"]
    assert tree["value"] == content["matches"][0]["score"]
    assert len(tree["parts"]) == 2


@pytest.mark.usefixtures("built")
def test_a_search_of_a_type_gives_only_that(instead: Run) -> None:
    found = as_json(instead("search", "picture", "--type", "app", "--json"))
    assert [hit["artifact"]["type"] for hit in found["matches"]] == ["app"]
    none = instead("search", "picture", "--type", "benchmark")
    assert none.exit_code == 1
    assert "Nothing here fits" in none.stdout


@pytest.mark.usefixtures("built")
@pytest.mark.parametrize(
    ("need", "why"),
    [
        ("", "at least 2 characters"),
        ("x" * 501, "at most 500 characters"),
        ("word " * 10_000, "at most 500 characters"),
        ("?!...", "has words"),
        ("🎨", "at least 2 characters"),
        ("🎨🎨", "has words"),
    ],
)
def test_a_need_that_cannot_be_searched_for_is_wrong_usage(
    instead: Run, need: str, why: str
) -> None:
    assert why in refusal(instead("search", need), 2)


@pytest.mark.usefixtures("built")
@pytest.mark.parametrize(
    "need",
    ["the and of", "图像 描述", "صورة", "name:* AND (((", "'; DROP TABLE x;--", "a\tb"],
)
def test_any_words_are_answered(instead: Run, need: str) -> None:
    result = instead("search", need)
    assert result.exit_code in (0, 1)
    assert result.stderr == ""


def test_a_search_before_any_build_builds_the_shipped_catalogue(instead: Run) -> None:
    result = instead("search", "grounded captioning on edge device")
    assert "building the shipped catalogue" in result.stderr
    assert result.exit_code == 0
    assert "kosmos-2-patch14-224" in result.stdout


@pytest.mark.usefixtures("built")
def test_an_artifact_is_shown_whole(instead: Run) -> None:
    text = instead("show", "kosmos-2").stdout
    for part in (
        "Kosmos-2",
        "1,000  as of 2026-08-21",
        "Limit: Images",
        "1,660,000,000",
    ):
        assert part in text
    content = as_json(instead("show", "kosmos-2", "--json"))
    assert content["capabilities"][0]["vsAlternatives"]
    assert content["facts"]["deployment"] == ["self_hosted"]
    assert "meta" not in content
    assert "never shown" not in text


@pytest.mark.usefixtures("built")
def test_an_unknown_slug_is_not_found(instead: Run) -> None:
    assert "'nobody'" in refusal(instead("show", "nobody"), 1)


def test_validating_lists_all_faults(instead: Run, tmp_path: Path) -> None:
    bad = to_jsonl([{**ARTIFACTS[0], "type": "x"}] * 1000, tmp_path / "bad.jsonl")
    result = instead("catalog", "validate", bad)
    assert result.exit_code == 1
    assert result.stdout.count("type: should be") == 1000
    assert "0 artifacts, 1000 faults, 0 warnings" in result.stdout
    found = instead("catalog", "validate", bad, "--json")
    assert len(json.loads(found.stdout)["faults"]) == 1000


def test_validating_warns_of_fields_nobody_reads(instead: Run, tmp_path: Path) -> None:
    odd = to_jsonl([{**ARTIFACTS[0], "licence": "MIT"}], tmp_path / "odd.jsonl")
    result = instead("catalog", "validate", odd)
    assert result.exit_code == 0
    assert f"{odd}:1: licence: is not a field" in result.stdout


def test_validating_warns_of_thin_records(instead: Run, catalog_file: Path) -> None:
    result = instead("catalog", "validate", catalog_file)
    assert result.exit_code == 0
    assert f"{catalog_file}:1: facts.parameters: has no evidence (w" in result.stdout
    assert "description: 9 words, under 40 (warning)" in result.stdout


@pytest.mark.usefixtures("built")
def test_a_refused_catalogue_leaves_the_generation_in_use(
    instead: Run, tmp_path: Path, home: Home
) -> None:
    bad = to_jsonl([{**ARTIFACTS[0], "type": "x", "name": 1}], tmp_path / "bad.jsonl")
    result = instead("build", "--catalog", bad)
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 3
    assert "refused: 2 faults" in result.stderr
    missing = instead("build", "--catalog", tmp_path / "missing.jsonl")
    assert missing.exit_code == 2
    assert home.ids() == ["000001"]


@pytest.mark.parametrize("command", [["show", "x"], ["generations"], ["verify"]])
def test_a_command_before_any_build_says_how_to_build(
    instead: Run, command: list[str]
) -> None:
    assert "nothing has been built" in refusal(instead(*command), 1)


@pytest.mark.usefixtures("built")
def test_generations_are_listed_verified_and_undone(
    instead: Run, catalog_file: Path, home: Home
) -> None:
    instead("build", "--catalog", catalog_file)
    lines = instead("generations").stdout.splitlines()
    assert [line[:8] for line in lines] == ["  000001", "* 000002"]
    assert instead("rollback").stdout == "generation 000001 is in use\n"
    listed = as_json(instead("generations", "--json"))
    assert [each["current"] for each in listed] == [True, False]
    assert as_json(instead("rollback", "000002", "--json"))["id"] == "000002"
    assert "no generation '000009'" in refusal(instead("rollback", "000009"), 1)
    assert instead("verify").stdout.count("is intact") == 2
    (home.folder("000001") / "vectors.npy").write_bytes(b"")
    damaged = instead("verify")
    assert damaged.exit_code == 1
    assert "000001 is damaged: vectors.npy" in damaged.stdout
    (home.folder("000001") / "manifest.json").unlink()
    assert "manifest.json" in instead("generations").stderr


@pytest.mark.usefixtures("built")
def test_a_damaged_generation_is_refused_by_name(instead: Run, home: Home) -> None:
    (home.folder("000001") / "catalog.jsonl").unlink()
    line = refusal(instead("search", "captioning"), 1)
    assert "generation 000001 is damaged: catalog.jsonl" in line


@pytest.mark.usefixtures("built")
def test_needs_of_another_encoder_are_refused(settings: Settings) -> None:
    other = Settings(settings.home, "other", lambda setting: HashingEncoder("other"))
    with pytest.raises(MismatchError, match=r"was built by hashing.*INSTEAD_ENCODER"):
        open_engine(other)


@pytest.mark.parametrize(
    "command",
    [["search"], ["search", "x y", "-k", "0"], ["search", "x y", "--type", "toaster"],
     ["nonsense"], ["serve", "--port", "99999"]],
)  # fmt: skip
def test_wrong_usage_exits_with_2(instead: Run, command: list[str]) -> None:
    result = instead(*command)
    assert result.exit_code == 2
    assert "Usage" in result.stderr


def test_a_home_that_is_a_file_is_one_clear_line(
    instead: Run, catalog_file: Path, tmp_path: Path
) -> None:
    line = refusal(instead("search", "captioning", "--home", catalog_file), 1)
    assert str(catalog_file) in line


def test_a_fault_of_the_engine_is_one_line(home: Home, catalog_file: Path) -> None:
    def broken(setting: str | None) -> HashingEncoder:
        raise ZeroDivisionError("by zero")

    given = ["build", "--catalog", str(catalog_file)]
    result = CliRunner().invoke(main, given, obj=Settings(home.path, None, broken))
    line = refusal(result, 1)
    assert line.startswith("instead: a fault of its own: ZeroDivisionError: by zero")


def test_home_can_be_given_to_every_command(
    instead: Run, catalog_file: Path, tmp_path: Path, home: Home
) -> None:
    other = tmp_path / "other"
    instead("build", "--home", other, "--catalog", catalog_file)
    assert Home(other).ids() == ["000001"]
    assert home.ids() == []


def test_settings_come_from_the_environment(tmp_path: Path) -> None:
    environ = {"INSTEAD_HOME": str(tmp_path), "INSTEAD_ENCODER": "folder"}
    assert Settings.read(environ).home == tmp_path
    assert Settings.read(environ).encoder == "folder"
    assert Settings.read({}).home.name == "instead"
    assert Settings.read({}).encoder is None
    assert Settings.read({"INSTEAD_EXPLORE": "0.1"}).explore == pytest.approx(0.1)
    for wrong in ("2", "often", "nan"):
        with pytest.raises(SettingError, match="a number from 0 to 1"):
            Settings.read({"INSTEAD_EXPLORE": wrong})


@pytest.mark.usefixtures("built")
def test_an_evaluation_is_a_table_or_json_and_a_run(
    instead: Run, tmp_path: Path
) -> None:
    needs, qrels = tmp_path / "needs.jsonl", tmp_path / "qrels.tsv"
    needs.write_text('{"qid": "q1", "text": "grounded captioning"}\n')
    qrels.write_text("q1 0 kosmos-2 1\n")
    given = ["evaluate", "--needs", needs, "--qrels", qrels]
    table = instead(*given, "--legs", "--run", tmp_path / "run").stdout
    assert "ours            1.0000 [1.000, 1.000]" in table
    assert "ours - rrf: +0.0000" in table
    assert (tmp_path / "run").read_text().startswith("q1 Q0 kosmos-2 1 ")
    content = as_json(instead(*given, "--json"))
    assert content["results"][0]["metrics"]["ndcg@10"]["value"] == 1
    qrels.write_text("q1 0 kosmos-2\n")
    assert "should be: qid 0 slug grade" in refusal(instead(*given), 2)


@pytest.mark.usefixtures("built")
def test_constraints_are_shown_flipped_and_proved(instead: Run) -> None:
    need = "describe a picture on edge device"
    shown = instead("search", need).output
    assert "Read as \u201cdescribe a picture\u201d; deployment edge (must)" in shown
    assert "1 more violate deployment edge." in shown
    assert "? deployment edge" in shown
    off = instead("search", need, "--off", "deployment:edge").output
    assert "more violate" not in off
    soft = instead("search", need, "--prefer", "deployment:edge", "--json")
    answer = json.loads(soft.stdout)
    assert answer["need"]["constraints"][0]["mode"] == "prefer"
    proved = instead("search", "describe a picture", "--must", "license:MIT").output
    assert "\u2713 license MIT: MIT" in proved
    liked = instead("search", "like kosmos-2, not from microsoft")
    assert "not provider microsoft (must); like kosmos-2" in " ".join(
        liked.output.split()
    )


@pytest.mark.usefixtures("built")
def test_a_key_that_is_no_constraint_is_bad_input(instead: Run) -> None:
    result = instead("search", "picture", "--must", "moon:full")
    assert result.exit_code == 2
    assert "'moon:full' is no constraint" in result.stderr


@pytest.mark.usefixtures("built")
def test_an_evaluation_can_leave_the_constraints_out(
    instead: Run, tmp_path: Path
) -> None:
    needs, qrels = tmp_path / "needs.jsonl", tmp_path / "qrels.tsv"
    needs.write_text('{"qid": "1", "text": "describe a picture on edge device"}')
    qrels.write_text("1 0 kosmos-2 1\n")
    command = ("evaluate", "--needs", str(needs), "--qrels", str(qrels), "--json")

    def recall(*more: str) -> float:
        (ours,) = json.loads(instead(*command, *more).stdout)["results"]
        value: float = ours["metrics"]["recall@100"]["value"]
        return value

    assert recall() == 0  # it is known not to run there
    assert recall("--without", "constraints") == 1


@pytest.mark.usefixtures("built")
def test_searches_are_logged_exported_and_imported_again(
    instead: Run, home: Home, tmp_path: Path
) -> None:
    match = as_json(instead("search", "grounded captioning", "--json"))["matchId"]
    assert match
    out = tmp_path / "events.jsonl"
    assert "4 events written" in instead("events", "export", out).stdout
    assert as_json(instead("events", "import", out, "--json")) == {"read": 4, "new": 0}
    out.write_text('{"need": "captions", "artifact": "kosmos-2", "outcome": "worked"}')
    assert "1 of 1 events are new" in instead("events", "import", out).stdout
    stats = instead("events", "stats").stdout
    assert "1 matches of 1 needs" in stats
    assert "worked  1" in stats
    assert "outcomes  shown 1, worked 1" in instead("show", "kosmos-2").stdout
    gone = instead("events", "forget", "--before", "2999-01-01").stdout
    assert "5 events forgotten" in gone
    assert as_json(instead("events", "stats", "--json"))["outcomes"] == {}


@pytest.mark.usefixtures("built")
def test_needs_that_nothing_met_are_named_once_enough_ask(
    instead: Run, tmp_path: Path
) -> None:
    lines = [
        '{"need": "fly to mars", "outcome": "unmet", '
        f'"at": "2026-11-0{day}T10:00:00Z"}}'
        for day in range(1, 4)
    ]
    path = tmp_path / "past.jsonl"
    path.write_text("\n".join(lines))
    instead("events", "import", path)
    stats = instead("events", "stats").stdout
    assert "nothing met \u201cfly to mars\u201d, asked 3 times" in stats


@pytest.mark.usefixtures("built")
def test_past_needs_with_faults_are_refused_whole(instead: Run, tmp_path: Path) -> None:
    path = tmp_path / "past.jsonl"
    path.write_text('{"need": "x", "artifact": "a", "outcome": "loved"}')
    result = instead("events", "import", path)
    assert result.exit_code == 2
    assert f"{path}:1: outcome: input should be" in result.stderr


@pytest.mark.usefixtures("built")
def test_a_log_that_refuses_keeps_no_answer_back(instead: Run, home: Home) -> None:
    (home.path / "events.sqlite").write_text("no database" * 200)
    result = instead("search", "grounded captioning", "--json")
    assert result.exit_code == 0
    assert "not logged: the event log" in result.stderr
    assert json.loads(result.stdout)["matchId"] is None


def test_two_artifacts_side_by_side_fit_a_terminal(built: None, instead: Run) -> None:
    found = instead("compare", "kosmos-2", "sketcher", "--need", "free captions")
    assert found.exit_code == 0
    *lines, last = found.output.rstrip().split("\n")
    assert max(map(len, lines)) <= 80
    assert "Need something different?" in lines
    assert "--must not-artifact:kosmos-2" in last
    assert json.loads(instead("compare", "kosmos-2", "sketcher", "--json").output)[
        "rows"
    ]


def test_a_comparison_as_markdown_is_a_table(built: None, instead: Run) -> None:
    output = instead("compare", "kosmos-2", "sketcher", "--markdown").output
    assert output.startswith("# Kosmos-2 and Sketcher\n")
    rows = [line for line in output.split("\n") if line.startswith("|")]
    assert {line.count(" |") for line in rows[2:15]} == {4}


def test_what_cannot_be_compared_ends_in_one_line(built: None, instead: Run) -> None:
    same = instead("compare", "kosmos-2", "kosmos-2")
    assert same.exit_code == 2
    assert "both artifacts are 'kosmos-2'; name two that differ" in same.output
    unknown = instead("compare", "kosmos-2", "nobody")
    assert unknown.exit_code == 1
    assert "no artifact has the slug 'nobody'" in unknown.output


def test_alternatives_say_why_and_what_they_cost(built: None, instead: Run) -> None:
    found = instead("alternatives", "kosmos-2", "-k", "2")
    assert found.exit_code == 0
    assert found.output.startswith("Instead of Kosmos-2\n")
    assert max(map(len, found.output.split("\n"))) <= 80
    assert "    lost: " in found.output
    asked = instead("alternatives", "kosmos-2", "--need", "but free", "--markdown")
    assert "For the need: but free" in asked.output
    assert "price free: unknown" in asked.output
    content = json.loads(instead("alternatives", "kosmos-2", "--json").output)
    assert content["artifact"]["slug"] == "kosmos-2"
    assert instead("alternatives", "nobody").exit_code == 1


def test_nothing_that_fits_is_no_success(instead: Run, tmp_path: Path) -> None:
    lonely = to_jsonl(ARTIFACTS[:1], tmp_path / "lonely.jsonl")
    assert instead("build", "--catalog", lonely).exit_code == 0
    found = instead("alternatives", "kosmos-2")
    assert found.exit_code == 1
    assert "Nothing fits." in found.output
