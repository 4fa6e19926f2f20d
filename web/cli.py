"""The command line: `instead`."""

import errno
import gc
import json
import logging
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack, closing, suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import Any

import click

from index import pastneeds
from index.artifact import TYPES
from index.builder import adapt
from index.errors import (
    CatalogError,
    EncoderError,
    EngineError,
    EventError,
    NoGenerationError,
)
from index.events import GROUP
from index.generation import Generation, Manifest, verify
from index.home import Home
from index.nodes import check
from index.source import parse
from index.workers import HERE, Cluster, Processes, Workers
from search import evaluation, learning
from search.constraint import MODES
from search.engine import Engine
from search.evaluation import read_needs, read_qrels, write_run
from search.facets import FACETS
from search.graph import MatchGraph
from search.history import History
from search.need import Need
from web import asking, payload, progress, terminal
from web import markdown as as_markdown
from web.errors import status
from web.keys import Keys
from web.settings import (
    Settings,
    build_generation,
    forget_learned,
    open_engine,
    open_generation,
    open_history,
    open_log,
    open_store,
    taught,
)

logger = logging.getLogger(__name__)

Paths = tuple[Path, ...]

SOURCE = "cli"
"""What the log says of searches from the shell."""

KEY = "A constraint, said in the need or not,"


class Commands(click.Group):
    """Commands whose deliberate errors end in one clear line and their exit status."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; a deliberate error is printed, and sets the exit status."""
        try:
            return super().invoke(ctx)
        except CatalogError as error:
            for fault in error.faults:
                click.echo(fault, err=True)
            count = len(error.faults)
            faults = "1 fault" if count == 1 else f"{count:,} faults"
            click.echo(f"instead: the catalogue is refused: {faults}", err=True)
            ctx.exit(status(error).exit)
        except EngineError as error:
            click.echo(f"instead: {error}", err=True)
            ctx.exit(status(error).exit)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except OSError as error:
            if error.errno == errno.EPIPE:  # the reader of the pipe went away
                raise
            click.echo(f"instead: {error.filename}: {error.strerror}", err=True)
            ctx.exit(1)
        except Exception as error:  # a fault of ours is one line too
            logger.debug("fault", exc_info=error)
            what = f"{type(error).__name__}: {error}"
            click.echo(
                f"instead: a fault of its own: {what}; please report it", err=True
            )
            ctx.exit(1)


def common(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command `--home` and `--json`; it gets them as `settings`, `as_json`."""

    @click.option(
        "--home",
        type=click.Path(path_type=Path),
        help="Where the indexes live. [default: $INSTEAD_HOME, else the user's data]",
    )
    @click.option("--json", "as_json", is_flag=True, help="Print JSON.")
    @click.pass_obj
    @wraps(command)
    def with_settings(
        settings: Settings | None, /, home: Path | None, **given: Any
    ) -> Any:
        settings = settings or Settings.read()
        if home is not None:
            settings = replace(settings, home=home)
        return command(settings=settings, **given)

    return with_settings


def show_result(content: Any, lines: Iterable[str], *, as_json: bool) -> None:
    """Print `content` as JSON, or `lines` for people."""
    if as_json:
        click.echo(json.dumps(content, ensure_ascii=False, indent=2))
    else:
        for line in lines:
            click.echo(line)


def built(
    settings: Settings, paths: Paths = (), workers: Workers | None = None
) -> Manifest:
    """Return the manifest of a new generation, its progress shown."""
    with progress.shown() as report:
        return build_generation(settings, paths, report, workers)


def generation_or_first_build(settings: Settings) -> Generation:
    """Return the generation in use; the shipped catalogue is built if there is none."""
    try:
        return open_generation(settings)
    except NoGenerationError:
        click.echo("Nothing is built yet: building the shipped catalogue.", err=True)
        built(settings)
        return open_generation(settings)


def engine_or_first_build(settings: Settings) -> Engine:
    """Return the engine of that generation."""
    return open_engine(settings, generation_or_first_build(settings))


def history_or_none(settings: Settings) -> History | None:
    """Return the history; a log that refuses keeps nobody waiting for an answer."""
    try:
        return open_history(settings)
    except EventError as error:
        click.echo(f"instead: not logged: {error}", err=True)
        return None


def graph_or_none(settings: Settings) -> MatchGraph:
    """Return the match graph, an empty one if the log refuses."""
    history = history_or_none(settings)
    if history is None:
        return MatchGraph()
    with closing(history):
        return history.graph()


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="instead")
def main() -> None:
    """Find, compare and replace AI artifacts by what they can do."""
    logging.basicConfig(
        level=logging.WARNING, format="instead: %(message)s", stream=sys.stderr
    )


@main.command()
@click.option(
    "--catalog",
    "paths",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A JSON Lines file or a folder of them. [default: the shipped catalogue]",
)
@click.option(
    "--workers", "count", type=click.IntRange(1, 256), metavar="N",
    help="Build in N processes, 1 for none but this. [default: by the size]",
)  # fmt: skip
@click.option(
    "--ray", "address", metavar="ADDRESS",
    help="Build on the Ray cluster at ADDRESS; auto for the one of this machine.",
)  # fmt: skip
@common
def build(
    settings: Settings,
    paths: Paths,
    count: int | None,
    address: str | None,
    *,
    as_json: bool,
) -> None:
    """Build a new generation offline and switch to it."""
    if count and address:
        raise click.UsageError("--workers and --ray exclude each other")
    workers: Workers | None = None
    if address:
        workers = Cluster(address)
    elif count:
        workers = Processes(count) if count > 1 else HERE
    started = time.monotonic()
    manifest = built(settings, paths, workers)
    seconds = time.monotonic() - started
    content = payload.generation(manifest, current=True)
    counts = manifest.counts
    line = (
        f"generation {manifest.id}: {counts['artifacts']:,} artifacts, "
        f"{counts['capabilities']:,} capabilities, {counts['encoded']:,} of "
        f"{counts['passages']:,} passages encoded, {seconds:.1f} s"
    )
    show_result({**content, "seconds": round(seconds, 3)}, [line], as_json=as_json)


@main.command()
@click.argument("need")
@click.option("-k", "k", type=click.IntRange(1, 50), default=10, show_default=True)
@click.option(
    "--type", "types", multiple=True, type=click.Choice(TYPES), metavar="TYPE",
    help=f"Only artifacts of this type, repeatable: {', '.join(TYPES)}.",
)  # fmt: skip
@click.option(
    "--deployment", multiple=True, metavar="VALUE",
    help="Only artifacts known to be deployed so, such as edge; repeatable.",
)  # fmt: skip
@click.option(
    "--pricing", multiple=True, metavar="VALUE",
    help="Only artifacts known to be priced so, such as open_source; repeatable.",
)  # fmt: skip
@click.option(
    "--license", multiple=True, metavar="VALUE",
    help="Only known licences that are permissive, copyleft, restricted or "
    "noncommercial, or have this SPDX id; repeatable.",
)  # fmt: skip
@click.option(
    "--provider", multiple=True, metavar="NAME",
    help="Only artifacts known to be of this provider; repeatable.",
)  # fmt: skip
@click.option("--must", multiple=True, metavar="KEY", help=f"{KEY} must hold.")
@click.option("--prefer", multiple=True, metavar="KEY", help=f"{KEY} is only a wish.")
@click.option("--off", multiple=True, metavar="KEY", help=f"{KEY} does not count.")
@click.option("--explain", is_flag=True, help="Show what each score is the sum of.")
@common
def search(
    settings: Settings,
    need: str,
    k: int,
    types: tuple[str, ...],
    *,
    explain: bool,
    as_json: bool,
    **others: tuple[str, ...],
) -> None:
    """Rank artifacts for a NEED, such as "grounded captioning on edge device".

    Constraints are read from the NEED; a KEY such as deployment:edge names one.
    """
    flipped = {key: mode for mode in MODES for key in others[mode]}
    kept = {str(each): others[each] for each in FACETS if each in others}
    asked = Need.read(need, types, flipped, facets=kept)
    with engine_or_first_build(settings) as engine, ExitStack() as stack:
        if history := history_or_none(settings):
            stack.enter_context(closing(history))
            with progress.shown() as report, suppress(EncoderError):
                taught(engine, history, settings, report)
        started = time.perf_counter()
        found = engine.search(asked, k)
        took_ms = (time.perf_counter() - started) * 1000
        match = history.answered(found, SOURCE) if history else None
        graph = history.graph() if history else MatchGraph()
        known = asking.standing(engine, graph)
        slugs = engine.catalog.slugs
        content = payload.answer(found, slugs, known, match, took_ms, explain=explain)
    show_result(content, terminal.answer(content), as_json=as_json)
    if not found.hits:
        sys.exit(1)


@main.command()
@click.option("--needs", required=True, type=click.Path(path_type=Path))
@click.option("--qrels", required=True, type=click.Path(path_type=Path))
@click.option("--run", "run", type=click.Path(path_type=Path), help="Write a TREC run.")
@click.option("--legs", is_flag=True, help="Also each retriever alone, and baselines.")
@click.option(
    "--without", multiple=True, type=click.Choice(evaluation.PARTS),
    help="Take a part of the engine out, repeatable.",
)  # fmt: skip
@common
def evaluate(
    settings: Settings,
    needs: Path,
    qrels: Path,
    run: Path | None,
    *,
    legs: bool,
    without: tuple[str, ...],
    as_json: bool,
) -> None:
    """Measure the engine on judged needs: {"qid", "text"} lines and TREC qrels."""
    asked, grades = read_needs(needs), read_qrels(qrels)
    with open_engine(settings) as engine, progress.shown() as report:

        def tick(done: int, total: int) -> None:
            report("needs", done, total)

        with closing(open_history(settings)) as history:
            taught(engine, history, settings, report)
        found = evaluation.evaluate(
            engine, asked, grades, tick, legs=legs, without=without
        )
    if run is not None:
        write_run(run, found.run)
    content = payload.evaluation(found)
    show_result(content, terminal.evaluation(content), as_json=as_json)


@main.command()
@click.argument("slug")
@common
def show(settings: Settings, slug: str, *, as_json: bool) -> None:
    """Show everything known of one artifact."""
    with open_engine(settings) as engine:
        content = asking.known(engine, graph_or_none(settings), slug)
    show_result(content, terminal.artifact(content), as_json=as_json)


AS_MARKDOWN = click.option(
    "--markdown", is_flag=True, help="Print Markdown, to be pasted into an issue."
)


@main.command()
@click.argument("a")
@click.argument("b")
@click.option("--need", default="", help="What the two are compared for.")
@AS_MARKDOWN
@common
def compare(
    settings: Settings, a: str, b: str, need: str, *, markdown: bool, as_json: bool
) -> None:
    """Set artifacts A and B side by side, capability by capability."""
    with engine_or_first_build(settings) as engine:
        graph = graph_or_none(settings)
        content = asking.compared(engine, graph, a, b, need)
    render = as_markdown.comparison if markdown else terminal.comparison
    show_result(content, render(content), as_json=as_json)


@main.command()
@click.argument("slug")
@click.option("--need", default="", help='What must be different: "but self-hosted".')
@click.option("-k", "k", type=click.IntRange(1, 50), default=10, show_default=True)
@click.option("--family", is_flag=True, help="Also its own family, each for itself.")
@AS_MARKDOWN
@common
def alternatives(
    settings: Settings,
    slug: str,
    need: str,
    k: int,
    *,
    family: bool,
    markdown: bool,
    as_json: bool,
) -> None:
    """Show what to use instead of the artifact SLUG."""
    with engine_or_first_build(settings) as engine:
        graph = graph_or_none(settings)
        content = asking.replaced(engine, graph, slug, need, k, family=family)
    render = as_markdown.alternatives if markdown else terminal.alternatives
    show_result(content, render(content), as_json=as_json)
    if not content["alternatives"]:
        sys.exit(1)


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True)
@click.option("--ray", metavar="ADDRESS", help="Shards on the Ray cluster HOST:PORT.")
@click.option(
    "--shards", type=click.IntRange(1), default=1, show_default=True,
    help="With --ray: parts that the catalogue is cut into.",
)  # fmt: skip
@click.option(
    "--replicas", type=click.IntRange(1), default=1, show_default=True,
    help="With --ray: copies of each part.",
)  # fmt: skip
@common
def serve(
    settings: Settings,
    host: str,
    port: int,
    ray: str | None,
    shards: int,
    replicas: int,
    *,
    as_json: bool,
) -> None:
    """Serve web pages and the JSON API until interrupted."""
    from index.cluster import Layout, ShardCluster, deploy_apart
    from web import access, server
    from web.app import create_app
    from web.current import CurrentEngine
    from web.follower import Follower

    layout = Layout(ray, shards, replicas, settings.store) if ray is not None else None
    if layout:
        check(layout.address)
    elif max(shards, replicas) > 1:
        raise click.UsageError("--shards and --replicas need --ray ADDRESS")
    server.claim(host, port)
    follower = Follower(settings) if settings.store else None
    if follower:
        with progress.shown() as report:
            away = follower.look(report)
        if away and not Home(settings.home).current():
            raise away
    # Read before the server forks, so that it is read once and shared.
    generation = generation_or_first_build(settings)
    if layout:
        deploy_apart(layout, generation)
    # A long log is folded here, not in a timed worker.
    open_history(settings, later=True).close()
    address = f"http://{host}:{port}"
    show_result({"address": address}, [f"Serving on {address}"], as_json=as_json)
    sys.stdout.flush()
    access.show()

    with ExitStack() as stack:

        def app() -> Any:
            cluster = (
                stack.enter_context(closing(ShardCluster(layout))) if layout else None
            )
            opened = open_history(settings, later=True)
            history = stack.enter_context(closing(opened))
            engine = CurrentEngine(
                settings, history, generation=generation, cluster=cluster
            )
            engine().search(Need.read("a need that warms up"))
            gc.freeze()  # what is there by now stays: nobody has to walk it again
            if follower:
                stack.enter_context(closing(follower)).start()
            return create_app(engine, history, settings, host, follower)

        server.run(app, host, port, stack.close)


@main.group()
def events() -> None:
    """Work with the event log: what was shown, and what came of it."""


@events.command(name="import")
@click.argument("path", type=click.Path(path_type=Path))
@common
def import_events(settings: Settings, path: Path, *, as_json: bool) -> None:
    """Take past needs from a JSON Lines file; what is known already is left out."""
    past = pastneeds.read(path)
    new = 0
    with closing(open_log(settings)) as log, progress.shown() as report:
        for start in range(0, len(past), GROUP):
            new += log.append(past[start : start + GROUP])
            report("events", min(start + GROUP, len(past)), len(past))
    content = {"read": len(past), "new": new}
    line = f"{new:,} of {len(past):,} events are new"
    show_result(content, [line], as_json=as_json)


@events.command(name="export")
@click.argument("path", type=click.Path(path_type=Path))
@common
def export_events(settings: Settings, path: Path, *, as_json: bool) -> None:
    """Write all events to a JSON Lines file that import reads."""
    with closing(open_log(settings)) as log:
        count = pastneeds.write(path, (event for _, event in log.after()))
    line = f"{count:,} events written to {path}"
    show_result({"written": count}, [line], as_json=as_json)


@events.command(name="stats")
@common
def event_stats(settings: Settings, *, as_json: bool) -> None:
    """Count matches and outcomes, and name needs that nothing met."""
    with open_engine(settings) as engine, closing(open_history(settings)) as history:
        content = payload.stats(engine.generation.manifest, history.graph())
    show_result(content, terminal.stats(content), as_json=as_json)


@events.command()
@click.option(
    "--before", required=True, type=click.DateTime(("%Y-%m-%d", "%Y-%m-%dT%H:%M:%S")),
    help="Events older than this day are removed for good.",
)  # fmt: skip
@common
def forget(settings: Settings, before: datetime, *, as_json: bool) -> None:
    """Remove old events from the log, and from the disk."""
    with closing(open_log(settings)) as log:
        gone = log.forget(before.replace(tzinfo=UTC))
    forget_learned(settings)
    show_result({"forgotten": gone}, [f"{gone:,} events forgotten"], as_json=as_json)


@main.command()
@common
def learn(settings: Settings, *, as_json: bool) -> None:
    """Learn from the log, and switch to it if needs held back lose nothing."""
    with open_engine(settings) as engine, ExitStack() as stack:
        history = stack.enter_context(closing(open_history(settings)))
        report = stack.enter_context(progress.shown())
        taught(engine, history, settings, report)
        learned = learning.learn(
            engine, lambda done, total: report("learning", done, total)
        )
        id_ = engine.generation.id
    if learned.better:
        record = payload.lesson(learned)
        id_ = adapt(Home(settings.home), learned.adapter, record).id
    content = {**payload.lesson(learned), "switched": learned.better, "generation": id_}
    show_result(content, terminal.learned(content), as_json=as_json)
    if not learned.better:
        sys.exit(1)


@main.group()
def keys() -> None:
    """Work with API keys: who has one may ask more often."""


@keys.command()
@click.argument("name")
@common
def add(settings: Settings, name: str, *, as_json: bool) -> None:
    """Make a key for NAME, and show it this once."""
    key = Keys(settings.home).add(name)
    lines = [key, "It is shown this once; send it as Authorization: Bearer ..."]
    show_result({"name": name, "key": key}, lines, as_json=as_json)


@keys.command(name="list")
@common
def list_keys(settings: Settings, *, as_json: bool) -> None:
    """List the keys by name, and when each was made."""
    known = Keys(settings.home).all()
    content = [{"name": each.name, "created": each.created} for each in known]
    lines = [f"{each.name}  {each.created}" for each in known] or ["There are no keys."]
    show_result(content, lines, as_json=as_json)


@keys.command()
@click.argument("name")
@common
def revoke(settings: Settings, name: str, *, as_json: bool) -> None:
    """Remove the key of NAME; a running server refuses it at once."""
    Keys(settings.home).revoke(name)
    line = f"the key {name} is revoked"
    show_result({"name": name, "revoked": True}, [line], as_json=as_json)


@main.group()
def catalog() -> None:
    """Work with catalogue files."""


@catalog.command()
@click.argument("path", type=click.Path(path_type=Path))
@common
def validate(settings: Settings, path: Path, *, as_json: bool) -> None:
    """List all faults of a catalogue, exit 1 if there are any; and what is thin."""
    entries, faults = parse([path])
    warnings = [
        f"{entry.place}: {each}"
        for entry in entries
        for each in asking.thin(entry.artifact, entry.unread)
    ]
    verdict = (
        f"{len(entries)} artifacts, {len(faults)} faults, {len(warnings)} warnings"
    )
    lines = [*faults, *(f"{each} (warning)" for each in warnings), verdict]
    content = {"artifacts": len(entries), "faults": faults, "warnings": warnings}
    show_result(content, lines, as_json=as_json)
    if faults:
        sys.exit(1)


@main.command()
@common
def generations(settings: Settings, *, as_json: bool) -> None:
    """List the generations that are kept; * marks the one in use."""
    home = Home(settings.home)
    content = []
    for id_ in home.ids():
        try:
            manifest = Manifest.load(home.folder(id_))
        except EngineError as error:
            click.echo(f"instead: {error}", err=True)
            continue
        content.append(payload.generation(manifest, current=id_ == home.current()))
    show_result(content, terminal.generations(content), as_json=as_json)
    if not content:
        raise NoGenerationError(f"nothing has been built under {home.path} yet")


@main.command()
@click.argument("id_", metavar="[ID]", required=False)
@common
def rollback(settings: Settings, id_: str | None, *, as_json: bool) -> None:
    """Go back to the generation before the one in use, or to ID."""
    manifest = Home(settings.home).rollback(id_)
    content = payload.generation(manifest, current=True)
    show_result(content, [f"generation {manifest.id} is in use"], as_json=as_json)


@main.command()
@click.argument("url", required=False)
@common
def push(settings: Settings, url: str | None, *, as_json: bool) -> None:
    """Send the generation in use to the store at URL, and name it as in use there.

    URL is a folder or s3://bucket/prefix. [default: $INSTEAD_STORE]
    """
    store = open_store(settings, url)
    with progress.shown() as report:
        found = store.push(Home(settings.home), report)
    content = payload.moved(*found, store.url)
    show_result(content, terminal.moved(content, "sent"), as_json=as_json)


@main.command()
@click.argument("url", required=False)
@click.option("--digest", help="That of a generation. [default: the one in use there]")
@common
def pull(
    settings: Settings, url: str | None, digest: str | None, *, as_json: bool
) -> None:
    """Fetch the generation in use in the store at URL, and switch to it.

    URL is a folder or s3://bucket/prefix. [default: $INSTEAD_STORE]
    """
    store = open_store(settings, url)
    with progress.shown() as report:
        found = store.pull(Home(settings.home), digest, report)
    content = payload.moved(*found, store.url)
    show_result(content, terminal.moved(content, "fetched"), as_json=as_json)


@main.command(name="verify")
@common
def verify_all(settings: Settings, *, as_json: bool) -> None:
    """Check every checksum of every generation; exit 1 if one differs."""
    home = Home(settings.home)
    if not home.ids():
        raise NoGenerationError(f"nothing has been built under {home.path} yet")
    content = []
    for id_ in home.ids():
        try:
            verify(home.folder(id_))
            content.append({"id": id_, "intact": True, "problem": None})
        except EngineError as error:
            content.append({"id": id_, "intact": False, "problem": str(error)})
    lines = [
        each["problem"] or f"generation {each['id']} is intact" for each in content
    ]
    show_result(content, map(str, lines), as_json=as_json)
    if not all(each["intact"] for each in content):
        sys.exit(1)
