"""This machine prepared for an Experiment: the Apps' environments made, servers started, proved and pinned."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil
from msgspec import Struct

from bench.model.experiment import Experiment, Lane
from bench.model.reason import Code, Reason, reason
from bench.model.records import Failure, LaneFacts, Machine, Stage
from bench.servers import machine, verification
from bench.servers.environments import Environment, EnvironmentFailed, prepare
from bench.servers.launch import HOST, SERVERSIDE, Launch, Running, Started, free_ports, prepare_launch, started
from bench.servers.processes import ProcessGroup, clean_environment, tree
from bench.servers.project import Project
from bench.servers.readiness import NotReady, wait_until_ready


class Servers(Struct, frozen=True):
    """The servers of a Round that are ready and answer the workload, and what became of the others."""

    running: Mapping[str, Running]
    pids: Mapping[str, tuple[int, ...]]
    facts: tuple[LaneFacts, ...]
    failures: tuple[Failure, ...]


class Testbed(Struct, frozen=True):
    """All that it takes to start an Experiment's Lanes. Environments and folders of Apps are by ``Lane.home``."""

    project: Project
    experiment: Experiment
    machine: Machine
    environments: Mapping[str, Environment]
    folders: Mapping[str, Path]
    failures: tuple[Failure, ...]
    process_group: ProcessGroup
    logs: Path

    def launches(self, lanes: Sequence[Lane]) -> list[Launch]:
        """Returns how to start these Lanes, each on a free port."""
        return [
            prepare_launch(
                lane,
                self.experiment.serving,
                programs=self.environments[lane.home].programs,
                app_folder=self.folders[lane.home],
                port=port,
            )
            for lane, port in zip(lanes, free_ports(len(lanes)), strict=True)
        ]

    @contextmanager
    def open_servers(self, round_index: int, lanes: Sequence[Lane]) -> Iterator[Servers]:
        """Starts Lanes side by side, proves that they answer the workload, and gives them the server cores."""
        with started(self.launches(lanes), self.process_group, self.logs) as servers:
            yield self._proved(round_index, servers)

    def _proved(self, round_index: int, servers: Started) -> Servers:
        ready: dict[str, Running] = {}
        facts: list[LaneFacts] = []
        failures = [
            Failure(lane=lane, round=round_index, stage=Stage.START, reason=why, log_tail="")
            for lane, why in servers.refused.items()
        ]
        for server in servers.running:
            try:
                facts.append(self._prove(server))
                ready[server.launch.lane] = server
            except NotReady as error:
                failures.append(failure(round_index, server, Stage.START, error.reason))
            except psutil.NoSuchProcess:
                failures.append(failure(round_index, server, Stage.START, reason(Code.ENDED_IN_CHECK)))
            except verification.VerificationFailed as error:
                failures.append(failure(round_index, server, Stage.VERIFICATION, error.reason))
        pids = {name: tuple(process.pid for process in tree(server.process.pid)) for name, server in ready.items()}
        for members in pids.values():
            machine.pin(members, self.machine.server_cores)
        return Servers(ready, pids, tuple(facts), tuple(failures))

    def _prove(self, server: Running) -> LaneFacts:
        """Waits for a server, verifies its workload, reads what it runs with.

        Raises NotReady or VerificationFailed, and NoSuchProcess where it ends just then.
        """
        workload = self.experiment.workload
        path, _ = workload.request(workload.names[0])
        wait_until_ready(server.process, server.launch.port, path, self.experiment.serving.ready_timeout_s)
        answer = verification.verify(HOST, server.launch.port, workload)
        lane = self.experiment.lane(server.launch.lane)
        environment = self.environments[lane.home]
        return LaneFacts(
            lane=lane.name,
            port=server.launch.port,
            command=self._effective_command(server, lane.server.command[0]),
            environment={name: self._portable(value) for name, value in self._own_variables(server).items()},
            python=environment.python,
            versions=environment.versions,
            workers=_workers(server.process.pid),
            response_status=answer.status,
            response_headers=answer.headers,
            response_body=answer.body.decode(),
        )

    def _effective_command(self, server: Running, program: str) -> tuple[str, ...]:
        """Returns the command line as the kernel has it, from the program on: a script's interpreter is left out."""
        arguments = psutil.Process(server.process.pid).cmdline()
        start = next((i for i, argument in enumerate(arguments) if Path(argument).name == program), 0)
        return tuple(self._portable(argument) for argument in arguments[start:])

    def _own_variables(self, server: Running) -> dict[str, str]:
        everywhere = clean_environment()
        return {name: value for name, value in sorted(server.launch.environment.items()) if name not in everywhere}

    def _portable(self, text: str) -> str:
        return text.replace(str(SERVERSIDE), "{serverside}").replace(f"{self.project.root}/", "")


def prepare_environments(
    project: Project, experiment: Experiment
) -> tuple[dict[str, Environment], tuple[Failure, ...]]:
    """Makes the Apps' environments; an App that has none fails with all its Lanes."""
    made: dict[str, Environment] = {}
    failures: list[Failure] = []
    for app_name in sorted({lane.app.name for lane in experiment.lanes}):
        try:
            made[app_name] = prepare(app_name, project.lock(app_name), project.environments)
        except EnvironmentFailed as error:
            lanes = (lane.name for lane in experiment.lanes if lane.app.name == app_name)
            failures += (
                Failure(lane=lane, round=0, stage=Stage.ENVIRONMENT, reason=error.reason, log_tail="") for lane in lanes
            )
    return made, tuple(failures)


def failure(round_index: int, server: Running, stage: Stage, why: Reason) -> Failure:
    """Returns a Failure with the tail of the server's own log."""
    return Failure(lane=server.launch.lane, round=round_index, stage=stage, reason=why, log_tail=server.log_tail())


def _workers(pid: int) -> int:
    """Returns the number of worker processes: a server's children, or the server itself where it has none."""
    children = tree(pid)[1:]
    return max(1, sum("resource_tracker" not in " ".join(child.cmdline()) for child in children))
