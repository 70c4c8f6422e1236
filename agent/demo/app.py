"""The demo's story: instruments, sandbox cloud, the real daemon, trouble on request, reckoning."""

import asyncio
import secrets
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from agent.clock import SystemClock
from agent.demo import ledger, recorded, site_files
from agent.demo.account import Summary, reckon
from agent.demo.children import Daemon, Instruments
from agent.demo.cloud import Cloud
from agent.demo.screen import Screen, as_json, streams
from agent.demo.site_files import DEVICE_ID, Secrets
from agent.demo.stage import Stage
from agent.errors import FieldpostError

KEY_BYTES = 16  # of AES-128, what BTHome's bind keys are
SETTLE_S = 1.5  # the loss window, and the longest answer that was under way


@dataclass(frozen=True, slots=True)
class Options:
    """What the demo is asked for.

    Attributes:
        for_s: how long it runs, seconds; None = until Ctrl-C.
        offline_s: how long the cloud is away in the middle.
        kill: end the daemon with SIGKILL in the middle, and start it again.
        json: print the summary as one JSON object; the screen goes to standard error.
        seed: chooses weather, loads and meter readings.
        replay: a recorded line, whose devices are read beside the instruments.
    """

    for_s: float | None = None
    offline_s: float = 0.0
    kill: bool = False
    json: bool = False
    seed: int = 1
    replay: Path | None = None


def main(options: Options) -> int:
    """Run the demo; 0 only if nothing is missing, 1 if something is, 130 when interrupted twice."""
    screen = Screen(streams(as_json=options.json))
    try:
        summary = asyncio.run(run(options, screen))
    except FieldpostError as error:
        screen.note(f"The demo ended: {error.message}")
        return 1
    except (KeyboardInterrupt, asyncio.CancelledError):
        return 130
    screen.end(summary)
    if options.json:
        sys.stdout.write(as_json(summary) + "\n")
    return 0 if summary.delivered and not summary.missing else 1


async def run(options: Options, screen: Screen) -> Summary:
    """Everything from an empty folder to the reckoning; leaves nothing behind.

    Raises:
        FieldpostError: instruments or daemon did not start, or ended by themselves.
    """
    key = secrets.token_bytes(KEY_BYTES)
    with tempfile.TemporaryDirectory(prefix="fieldpost-demo-") as name:
        folder = Path(name)
        async with (
            Cloud() as cloud,
            plugged_in(folder, options.seed, key) as instruments,
            recorded.played(options.replay) as line,
        ):
            if instruments.places.note:
                screen.note(instruments.places.note)
            secret, port = Secrets(cloud.bundle(DEVICE_ID), key), site_files.free_port()
            paths = site_files.write(folder, instruments.places, secret, port, line)
            daemon = Daemon(paths, instruments.places.bus)
            stage = Stage(daemon, cloud, screen, SystemClock())
            try:
                await stage.open(paths.socket, port)
                await play(stage, options)
                line.quiet()
                await instruments.quiet()
                stage.ends()
                await asyncio.sleep(SETTLE_S)
                told = await stage.drain()
                said = await instruments.produced()
            finally:
                await daemon.stop()
            lost, at_most = ledger.losses(paths.state)
            admitted = replace(told, lost=lost, at_most=at_most)
            return reckon(said, cloud.held(line.names), admitted, stage.lives)


async def play(stage: Stage, options: Options) -> None:
    """Show what happens until time is up or Ctrl-C; a second Ctrl-C ends everything at once."""
    stop, task = asyncio.Event(), asyncio.current_task()

    def interrupt() -> None:
        if stop.is_set() and task:
            task.cancel()
        stop.set()

    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, interrupt)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, interrupt)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(stage.watch(), name="screen")]
        middle_s = options.for_s / 2 if options.for_s else 10.0
        if options.offline_s:
            begin_s = max(0.0, middle_s - options.offline_s / 2)
            outage = stage.cut_cloud(begin_s, options.offline_s)
            tasks.append(group.create_task(outage, name="outage"))
        if options.kill:
            tasks.append(group.create_task(stage.kill(middle_s), name="kill"))
        await _until(stop, options.for_s)
        for running in tasks:
            running.cancel()
    await stage.mend()


async def _until(stop: asyncio.Event, seconds: float | None) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return


@asynccontextmanager
async def plugged_in(folder: Path, seed: int, key: bytes) -> AsyncIterator[Instruments]:
    """The instruments, until the block ends."""
    instruments = Instruments(folder, seed, key)
    try:
        await instruments.start()
        yield instruments
    finally:
        await instruments.stop()
