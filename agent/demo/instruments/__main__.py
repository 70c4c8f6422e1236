"""The instruments' own process: `python -m agent.demo.instruments --folder DIR --seed N --key HEX`.

It writes JSON lines on its standard output: first its `Places`, then one answer to each line it
reads: `produced` (instants by device since the start), `quiet` (nothing new is said from now on).
It ends when its standard input does, so that it cannot outlive whoever started it.
"""

import argparse
import asyncio
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson

from agent import logging
from agent.clock import SystemClock
from agent.demo.instruments.bakery import Bakery, Wanted


async def serve(wanted: Wanted) -> None:
    """Stand there and talk until standard input ends."""
    bakery = Bakery(wanted, SystemClock())
    questions = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(questions), sys.stdin)
    async with asyncio.TaskGroup() as group:
        standing = group.create_task(bakery.run(lambda at: _say(asdict(at))), name="bakery")
        async for question in questions:
            if question == b"quiet\n":
                bakery.quiet()
            _say(bakery.produced.all())
        standing.cancel()


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m agent.demo.instruments", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--key", type=bytes.fromhex, default=bytes(16))
    given = parser.parse_args()
    logging.configure()
    # Ctrl-C goes to the whole group of the terminal; whoever started us decides when we stop
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    asyncio.run(serve(Wanted(given.folder, given.seed, given.key)))


def _say(thing: Any) -> None:
    sys.stdout.buffer.write(orjson.dumps(thing) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
