"""Off systemd, the status service runs as a child: the daemon itself never listens on TCP."""

import asyncio
import contextlib
from pathlib import Path

from agent import logging
from agent.daemon.programs import program
from agent.plan import Plan

log = logging.get("page")

AGAIN_S = 10.0  # a status service that ended is started again this much later
STOP_S = 2.0  # it has nothing to save


async def serve(plan: Plan, socket: Path, config_dir: Path) -> None:
    """Keep a status service running until cancelled; nothing here waits for it.

    Its standard input is a pipe that nobody writes to: should we be killed, it ends with us.
    """
    while True:
        child = await asyncio.create_subprocess_exec(
            *command(plan, socket, config_dir), stdin=asyncio.subprocess.PIPE
        )
        try:
            code = await child.wait()
        finally:
            await _ended(child)
        log.warning(
            "The status page ended and is started again.",
            event_type="status.ended",
            code=code,
            listen=plan.status.listen,
        )
        await asyncio.sleep(AGAIN_S)


def command(plan: Plan, socket: Path, config_dir: Path) -> list[str]:
    """How the status service of this plan is started."""
    return program(
        "agent.status",
        *("--socket", str(socket)),
        *("--listen", plan.status.listen),
        *("--config", str(config_dir)),
        "--bound",
    )


async def _ended(child: asyncio.subprocess.Process) -> None:
    if child.returncode is not None:
        return
    child.terminate()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(STOP_S):
            await child.wait()
    if child.returncode is None:
        child.kill()
        await child.wait()
