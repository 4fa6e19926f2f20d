"""Shards on a Ray cluster: how they get there, are asked, are followed and end.

One Ray Serve application for each generation and layout, named by both: two generations
are never mixed, and servers that want the same share it. Serve starts each shard's
replicas on different machines where there are some, checks their health, and starts
another where one has died. Ray is imported where it is needed, and never before a fork.
"""

import logging
import re
import socket
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from index.errors import ClusterError, EngineError, NoGenerationError
from index.generation import Generation, Manifest
from index.home import Home
from index.nodes import check, join, unreachable
from index.shard import Shard, parts

NAMESPACE = "instead"

JOIN_S, READY_S = 30.0, 300.0
"""Seconds for joining a cluster, and for all shards to open their files."""

DEADLINE_S, TRY_S, PAUSE_S = 10.0, 2.0, 0.05
"""Seconds that a need waits for a shard, that one replica of it has, and between tries:
a scan takes milliseconds, and after a machine has died the others answer at once."""

DRAIN_S = 15.0
"""Seconds that the shards of the generation before stay for requests under way."""

ONGOING, QUEUED = 8, 64
"""Requests that a replica has at once, and that wait for one: more are refused."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Layout:
    """The address of a Ray cluster, and how many shards and replicas it is to have.

    Machines that lack the generation pull it from `store`, if there is one.
    """

    address: str
    shards: int = 1
    replicas: int = 1
    store: str | None = None


class Replica:
    """One of the copies of a shard, as Ray Serve runs it."""

    def __init__(
        self,
        folder: str,
        digest: str,
        rows: tuple[int, int],
        store: str | None = None,
        *_: Any,
    ) -> None:
        """Open rows of the generation in `folder`, if that is the one with `digest`.

        Where it is not there, it is pulled from `store`, if there is one. The rest are
        handles of the application's other shards, which makes it one.
        """
        path = Path(folder)
        if store and not path.is_dir():
            from index.store import Store  # whose driver others need not load

            Store(store).pull(Home(path.parent.parent), digest)
        if not path.is_dir():
            raise NoGenerationError(
                f"{folder} is not there on the machine {socket.gethostname()}; each "
                "machine of the cluster needs the generation at this path: set "
                "INSTEAD_STORE, pull it there, or share the home"
            )
        if Manifest.load(path).digest != digest:
            raise NoGenerationError(
                f"{folder} is another generation on the machine "
                f"{socket.gethostname()}; pull the one of the server there"
            )
        self._shard = Shard(path, slice(*rows))

    def ask(self, method: str, *given: Any) -> Any:
        """Return what the shard says."""
        return getattr(self._shard, method)(*given)


class RayShards:
    """The shards of one generation on a cluster; each is asked at a replica of it."""

    def __init__(self, parts: Sequence[slice], handles: Sequence[Any]) -> None:
        """Ask the deployments behind `handles`, which hold `parts` of the rows."""
        self.parts = parts
        self._handles = handles

    def ask(
        self, method: str, given: Mapping[int, tuple[Any, ...]]
    ) -> dict[int, list[Any]]:
        """Return what `method` of each shard says, by number, to what it is `given`.

        Who does not answer is asked again, another replica if there is one: what is
        asked changes nothing. Raises ClusterError if a shard cannot be had in time.
        """
        from ray.exceptions import RayError, RayTaskError
        from ray.serve.exceptions import RayServeException

        deadline = time.monotonic() + DEADLINE_S
        told: dict[int, list[Any]] = {}
        while True:
            asked = {
                number: self._handles[number].ask.remote(method, *each)
                for number, each in given.items()
                if number not in told
            }
            for number, response in asked.items():
                left = min(TRY_S, max(deadline - time.monotonic(), 0.0))
                try:
                    told[number] = response.result(timeout_s=left)
                except RayTaskError:  # a fault of the shard: others have it, too
                    raise
                except (RayError, RayServeException, TimeoutError) as error:
                    missing, reason = number, error
                    if isinstance(error, TimeoutError):
                        with suppress(RayError, RayServeException):
                            response.cancel()
            if len(told) == len(given):
                return {number: told[number] for number in given}
            if time.monotonic() >= deadline:
                logger.warning("shard %d is not there: %s", missing, reason)
                raise ClusterError(
                    f"shard {missing + 1} of {len(self.parts)} cannot be reached, and "
                    "an answer without it would leave out what may be best; try again"
                )
            time.sleep(PAUSE_S)


class ShardCluster:
    """The connection of this process to a Ray cluster, and what it uses there."""

    def __init__(self, layout: Layout) -> None:
        """Connect; SettingError or ClusterError if that cannot be."""
        self._layout = layout
        self._present: dict[str, tuple[str, Any]] = {}
        check(layout.address)
        join(layout.address, namespace=NAMESPACE, ignore_reinit_error=True)

    def shards(self, generation: Generation) -> RayShards:
        """Return the shards of `generation`, which are there from now on, and healthy.

        Raises SettingError if it cannot be cut so, ClusterError if they do not start.
        """
        from ray.exceptions import RayError
        from ray.serve.exceptions import RayServeException

        cut = parts(generation.catalog.starts, self._layout.shards)
        name = self.name(generation)
        try:
            self._appear(name)
            self.deploy(generation)
            return self._asked(name, cut)
        except (RayError, RayServeException) as error:
            with suppress(RayError, RayServeException):
                self._leave(name)
            reason = str(error).strip().splitlines()[0]
            raise ClusterError(f"the shards did not start: {reason}") from error
        except EngineError:
            self._leave(name)
            raise

    def _asked(self, name: str, cut: Sequence[slice]) -> RayShards:
        """Return the shards of application `name`, asked once each.

        A handle learns where the replicas are when it is asked first.
        """
        from ray import serve

        handles = [
            serve.get_deployment_handle(_deployment(number), app_name=name)
            for number in range(len(cut))
        ]
        shards = RayShards(cut, handles)
        shards.ask("score", {number: ([], []) for number in range(len(cut))})
        return shards

    def deploy(self, generation: Generation) -> None:
        """Have the shards of `generation` run; ClusterError if they do not start."""
        from ray import serve

        cut = parts(generation.catalog.starts, self._layout.shards)
        name = self.name(generation)
        while _status(name) == "DELETING":  # the one before, of the same name
            time.sleep(0.1)
        if _status(name) is None:
            serve.start(proxy_location="Disabled")
            app = self._application(generation, cut)
            target = serve.RunTarget(app, name=name, route_prefix=None)
            serve.run_many(
                [target],
                wait_for_ingress_deployment_creation=False,
                wait_for_applications_running=False,
            )
        self._await(name)

    def _application(self, generation: Generation, cut: Sequence[slice]) -> Any:
        """Return one application of all shards: the first is bound to the others."""
        from ray import serve

        bound: list[Any] = []
        for number, part in reversed(list(enumerate(cut))):
            deployment = serve.deployment(
                Replica,
                name=_deployment(number),
                num_replicas=self._layout.replicas,
                max_ongoing_requests=ONGOING,
                max_queued_requests=QUEUED,
                health_check_period_s=2,
                health_check_timeout_s=10,
                graceful_shutdown_timeout_s=5,
                graceful_shutdown_wait_loop_s=0.5,
            )
            others = [] if number else bound
            bound.append(
                deployment.bind(
                    str(generation.folder.resolve()),
                    generation.manifest.digest,
                    (part.start, part.stop),
                    self._layout.store,
                    *others,
                )
            )
        return bound[-1]

    def _await(self, name: str) -> None:
        from ray import serve

        deadline = time.monotonic() + READY_S
        said: list[str] = []
        while time.monotonic() < deadline:
            status = serve.status().applications.get(name)
            if status is None:
                raise ClusterError(f"another server has ended {name}; start again")
            if status.status == "RUNNING":
                return
            said = [each.message for each in status.deployments.values()]
            # Serve tries for minutes what is refused and stays so.
            if status.status == "DEPLOY_FAILED" or _refusal(said):
                break
            time.sleep(0.1)
        serve.delete(name, _blocking=False)
        raise ClusterError(f"the shards did not start: {_reason(said, self._layout)}")

    def leave(self, generation: Generation) -> None:
        """Use the shards of `generation` no more; without another user they end."""
        self._leave(self.name(generation))

    def _leave(self, name: str) -> None:
        import ray
        from ray import serve

        own, actor = self._present.pop(name, ("", None))
        if actor is not None:
            ray.kill(actor)
        users = [each for each in ray.util.list_named_actors() if each != own]
        if not any(each.startswith(f"{name}:") for each in users):
            # Draining takes longer than whoever ends a server waits for it.
            serve.delete(name, _blocking=False)

    def close(self) -> None:
        """End what nobody else uses, and the connection."""
        import ray

        for name in [*self._present]:
            self._leave(name)
        ray.shutdown()

    def _appear(self, name: str) -> None:
        """Be seen to use application `name`, until this process ends at the latest."""
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        class User:
            """Stands for a server that uses an application: it ends with that."""

        if name not in self._present:
            own = f"{name}:{uuid.uuid4().hex[:12]}"
            # On the machine of this process: with another, it would end before.
            here = NodeAffinitySchedulingStrategy(
                ray.get_runtime_context().get_node_id(), soft=False
            )
            options = {"name": own, "num_cpus": 0, "scheduling_strategy": here}
            actor = ray.remote(User).options(**options).remote()
            ray.get(actor.__ray_ready__.remote())
            self._present[name] = own, actor

    def name(self, generation: Generation) -> str:
        """Return the name of the application of `generation` in this layout."""
        digest = generation.manifest.digest
        return f"instead-{digest[:16]}-{self._layout.shards}x{self._layout.replicas}"


def _status(name: str) -> str | None:
    """Return the status of an application; None if there is none."""
    from ray import serve

    app = serve.status().applications.get(name)
    return None if app is None else str(app.status.value)


def _deployment(number: int) -> str:
    return f"shard-{number}"


def _refusal(said: Sequence[str]) -> str | None:
    """Return what a replica refused to start for, from what Serve says of shards."""
    found = re.search(r"index\.errors\.\w+: (.*)", "\n".join(said))
    return found[1] if found else None


def _reason(said: Sequence[str], layout: Layout) -> str:
    """Return why shards did not start, from what Serve says of each of them."""
    if refusal := _refusal(said):
        return refusal
    last = [each.strip().splitlines()[-1] for each in said if each.strip()]
    return (
        f"{last[0] if last else 'they did not get ready'} (there are to be "
        f"{layout.shards * layout.replicas} replicas, with a core each: `ray status` "
        "shows what is free)"
    )


def deploy_apart(layout: Layout, generation: Generation) -> None:
    """Have the shards of `generation` run, from a process of its own.

    This one may still fork. Raises what connecting and starting raise.
    """
    check(layout.address)
    parts(generation.catalog.starts, layout.shards)
    apart = get_context("spawn")
    here, there = apart.Pipe(duplex=False)
    process = apart.Process(target=_deploy, args=(layout, generation.folder, there))
    process.start()
    there.close()
    try:
        for wait_s in (JOIN_S, READY_S):
            if not here.poll(wait_s):
                error = TimeoutError(f"nothing came of it in {wait_s:.0f} s")
                raise unreachable(layout.address, error)
            if error := here.recv():
                raise error
    except EOFError as error:
        raise ClusterError("the process that starts the shards has ended") from error
    finally:
        process.kill()  # Ray tries to join for longer than anybody waits
        process.join()
        here.close()


def _deploy(layout: Layout, folder: Path, there: Connection) -> None:
    """Say None when the cluster is joined, and when the shards run; else the error."""
    try:
        cluster = ShardCluster(layout)
        there.send(None)
        with Generation(folder) as generation:
            cluster.deploy(generation)
        there.send(None)
    except EngineError as error:
        there.send(error)
