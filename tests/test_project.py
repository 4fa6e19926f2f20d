"""What the documents say, and what packaging promises, holds."""

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import click
import pytest

from index import errors as engine_errors
from index.events import EventLog
from search.history import History
from web.app import create_app
from web.cli import main
from web.errors import STATUSES

ROOT = Path(__file__).parent.parent
PACKAGES = ("index", "search", "web")
MODULES = sorted(
    path.relative_to(ROOT).as_posix()
    for package in PACKAGES
    for path in (ROOT / package).glob("*.py")
)
README = (ROOT / "README.md").read_text(encoding="utf-8")
MAP = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")


def commands(group: click.Group, prefix: str = "") -> list[str]:
    """Return every command as a person types it."""
    found = []
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            found += commands(command, f"{prefix}{name} ")
        else:
            found.append(f"{prefix}{name}")
    return found


def test_every_path_the_map_names_exists() -> None:
    named = set(re.findall(r"`((?:index|search|web|tests|bench|\.ci)/[\w./*-]*)`", MAP))
    assert len(named) > 20
    for path in named:
        assert list(ROOT.glob(path.rstrip("/"))), f"{path} is in the map only"


def test_every_module_is_on_the_map() -> None:
    for module in MODULES:
        if not module.endswith(("__init__.py", "__main__.py")):
            assert f"`{module}`" in MAP


def test_every_command_and_setting_is_in_the_readme() -> None:
    for command in commands(main):
        assert f"instead {command}" in README
    code = (ROOT / "web" / "settings.py").read_text(encoding="utf-8")
    settings = set(re.findall(r"INSTEAD_[A-Z_]+", code))
    assert len(settings) > 4
    for setting in settings:
        assert f"`{setting}`" in README


def test_the_shell_imports_nothing_of_the_server() -> None:
    code = "import sys, web.cli; print(*sys.modules)"
    run = [sys.executable, "-c", code]
    loaded = subprocess.run(run, cwd=ROOT, check=True, capture_output=True, text=True)
    heavy = {"flask", "werkzeug", "flask_compress", "prometheus_client", "gunicorn"}
    assert not heavy & set(loaded.stdout.split())


def test_every_dependency_has_its_reason_on_the_map() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for requirement in project["dependencies"]:
        name = re.split(r"[<>=;\s]", requirement)[0]
        assert f"**{name}**" in MAP, f"why {name}?"


def test_every_route_is_in_the_readme() -> None:
    app = create_app(
        lambda: pytest.fail("no request is made"),
        History(EventLog("sqlite://")),
    )
    for rule in app.url_map.iter_rules():
        if rule.endpoint != "static":
            path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
            method = "POST" if "POST" in (rule.methods or ()) else "GET"
            assert f"`{method} {path}`" in README, path


def test_the_paths_of_the_readme_exist() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists()


@pytest.mark.parametrize("document", ["RESILIENCE.md", "SECURITY.md"])
def test_every_promise_names_a_test_that_exists(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    named = {*re.findall(r"`(tests/[\w./]+)`", text)}
    assert len(named) > 5
    for path in [*named, *re.findall(r"\]\(([^)#:]+)\)", text)]:
        assert (ROOT / path).exists(), path


def test_every_error_has_one_status_and_a_place_in_the_tree() -> None:
    def below(error: type[engine_errors.EngineError]) -> set[type]:
        under = error.__subclasses__()
        return set(under).union(*map(below, under))

    concrete = {each for each in below(engine_errors.EngineError) if not below(each)}
    assert set(STATUSES) == concrete
    assert engine_errors.__doc__ is not None
    for error in below(engine_errors.EngineError):
        assert re.search(rf"─ {error.__name__}\b", engine_errors.__doc__)


@pytest.mark.parametrize("module", MODULES)
def test_a_module_says_in_one_line_what_it_owns(module: str) -> None:
    docstring = ast.get_docstring(ast.parse((ROOT / module).read_text()))
    assert docstring
    assert docstring.splitlines()[0].endswith((".", ":"))


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_name_is_ours_alone(package: str) -> None:
    assert packages_distributions().get(package, ["instead"]) == ["instead"]


def test_the_wheel_holds_the_three_packages_and_the_command(tmp_path: Path) -> None:
    build = "from hatchling.build import build_wheel; build_wheel(r'{}')"
    subprocess.run(
        [sys.executable, "-c", build.format(tmp_path)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("instead-*.whl")
    with zipfile.ZipFile(wheel) as content:
        names = content.namelist()
        (entry_points,) = [name for name in names if name.endswith("entry_points.txt")]
        assert "instead = web.__main__:main" in content.read(entry_points).decode()
    tops = {name.split("/")[0] for name in names if "dist-info" not in name}
    assert tops == set(PACKAGES)
    assert any(name.startswith("index/catalogue/") for name in names)
    assert "web/templates/home.html" in names
    assert "web/static/style.css" in names


def test_the_changelog_has_the_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
