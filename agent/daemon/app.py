"""The daemon: one plan, one loop, one TaskGroup, until systemd says stop.

Whatever reaches the TaskGroup is a bug: it is logged, the process ends, systemd starts it again.
Exit codes: 0 stopped, 6 another daemon has the state directory, 78 no usable configuration.
"""

import asyncio
import faulthandler
import os
import signal
import sys
from collections.abc import Coroutine
from functools import partial
from pathlib import Path

import agent
from agent import logging
from agent.client.places import command, in_full
from agent.clock import SystemClock
from agent.daemon import page
from agent.daemon.audit import Audit
from agent.daemon.buffer.opening import SOUND, Build
from agent.daemon.gaps import Gaps
from agent.daemon.gateway import Gateway
from agent.daemon.plans import NoPlanError, Plans
from agent.daemon.rounds import Progress, Rounds
from agent.daemon.service import STANDARD_ERROR, Service
from agent.daemon.socket import Roles, SocketServer
from agent.daemon.timekeeper import Timekeeper
from agent.daemon.tokens import Tokens
from agent.daemon.verbs import Answers
from agent.errors import BusyError

log = logging.get("daemon")

BUSY = 6
ENDS_S = 1.0  # a part that needs longer is named
BAD_CONFIGURATION = 78  # EX_CONFIG; the unit does not restart it


def main(config: Path, state: Path, socket: Path, build: Build = SOUND) -> int:
    """Run the daemon until SIGTERM or SIGINT.

    Args:
        config: the technician's file.
        state: the state directory; made when absent.
        socket: where the CLI and the status service reach it.
        build: of the store; another one is for tests.

    Returns:
        The exit code.
    """
    config, state, socket = config.absolute(), state.absolute(), socket.absolute()
    typed = command(config, state, socket)
    logging.configure(advice=partial(in_full, command=typed))
    faulthandler.enable(STANDARD_ERROR)  # a SIGABRT leaves in the log where it hung
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    socket.parent.mkdir(parents=True, exist_ok=True)
    try:
        daemon = Daemon(config, state, socket, build)
        return asyncio.run(daemon.run())
    except BusyError as error:
        return _busy(error)
    except NoPlanError as error:
        sys.stderr.write(error.report + "\n")
        return BAD_CONFIGURATION


def _busy(error: BusyError) -> int:
    log.error(error.message, event_type="daemon.busy", action=error.action)
    return BUSY


class Daemon:
    """One life of the process."""

    def __init__(self, config: Path, state: Path, socket: Path, build: Build) -> None:
        self._config = config
        self._state = state
        self._socket = socket
        self._build = build
        self._clock = SystemClock()
        self._service = Service()
        self._plans = Plans(config, state, self._clock)
        self._audit = Audit(state, self._clock)
        self._stopped = asyncio.Event()

    async def run(self) -> int:
        """From the plan to the last commit.

        Raises:
            NoPlanError: there is nothing to run.
            BusyError: another daemon holds the state directory.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopped.set)
        applied = await self._plans.obtain()
        gateway = Gateway(applied, self._config.parent, self._state, self._clock, self._build)
        await gateway.open()
        self._audit.open()
        started = {"version": agent.__version__, "configuration": applied.version}
        self._audit.note("fieldpost", "daemon.started", started, "ok")
        try:
            await self._serve(gateway)
        finally:
            self._audit.close()
            left = await gateway.buffer.close()
            self._service.stopped()
        log.info(_farewell(left.readings), event_type="daemon.stopped")
        return 0

    async def _serve(self, gateway: Gateway) -> None:
        """Every part in one TaskGroup, until the signal."""
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(part, name=name) for name, part in self._parts(gateway).items()
            ]
            self._service.ready(gateway.line)
            log.info(
                "Running.",
                event_type="daemon.started",
                version=agent.__version__,
                pid=os.getpid(),
                configuration=gateway.applied.version,
                connections=len(gateway.supervisors),
                destinations=len(gateway.uplinks),
            )
            await self._stopped.wait()
            self._service.stopping()
            await gateway.buffer.flush()  # first: a driver may never end
            for task in tasks:
                task.cancel()
            _, left = await asyncio.wait(tasks, timeout=ENDS_S)
            for task in left:
                log.warning(
                    f"{task.get_name()} does not end.",
                    event_type="daemon.lingers",
                    task=task.get_name(),
                )

    def _parts(self, gateway: Gateway) -> dict[str, Coroutine[object, object, None]]:
        tokens = Tokens(self._state, self._clock)
        verbs = Answers(gateway, tokens, self._audit).verbs()
        roles = Roles.of_this_machine()
        typed = command(self._config, self._state, self._socket)
        server = SocketServer(self._socket, verbs, roles, self._audit.asked, command=typed)
        parts: dict[str, Coroutine[object, object, None]] = {"socket": server.run()}
        for name, supervisor in gateway.supervisors.items():
            parts[f"connection {name}"] = supervisor.run()
        for name, uplink in gateway.uplinks.items():
            parts[f"uplink {name}"] = uplink.run(gateway.vitals.beat)
        parts["rounds"] = self._rounds(gateway).run()
        parts["clock"] = Timekeeper(self._clock).run()
        parts["store"] = gateway.buffer.run()
        parts["network"] = gateway.comeback.watch()
        parts["gaps"] = Gaps(gateway.buffer, self._clock).run()
        if gateway.plan.status.listen != "none" and not self._service.supervised:
            parts["status page"] = page.serve(gateway.plan, self._socket, self._config.parent)
        return parts

    def _rounds(self, gateway: Gateway) -> Rounds:
        def look_at_file() -> None:
            gateway.edited = self._plans.edited(gateway.plan)

        progress = Progress(
            self._clock,
            lambda: gateway.buffer.facts().uncommitted_age_s,
            gateway.uplinks,
            gateway.to_send,
        )
        return Rounds(self._service, progress, (look_at_file, gateway.look), lambda: gateway.line)


def _farewell(left: int) -> str:
    if not left:
        return "Stopped; everything accepted is committed."
    return (
        f"Stopped; {left} readings are not on the card, the next start enters them in the ledger."
    )
