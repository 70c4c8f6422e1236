"""`python -m agent.demo.sandbox`: the sandbox by itself, until it is told to stop."""

import argparse
import asyncio
import signal
import sys
from pathlib import Path

from agent.demo.sandbox.server import Sandbox


async def serve(folder: Path, port: int, device_id: str) -> None:
    """Run, with what a client needs in `folder`: CA, bundle, token."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with Sandbox(folder, port=port) as sandbox:
        (folder / "ca.pem").write_bytes(sandbox.ca)
        for name, secret in (
            ("bundle.zip", sandbox.bundle(device_id)),
            ("token", sandbox.token().encode()),
            ("archive-token", sandbox.archive_token.encode()),
        ):
            _keep(folder / name, secret)
        sys.stdout.write(f"{sandbox.url}\n")
        sys.stdout.flush()
        await stop.wait()


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m agent.demo.sandbox", description=__doc__)
    parser.add_argument("folder", type=Path, help="where data, CA, bundle and tokens are written")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--device", default="fp-demo-gateway", help="device id of the bundle")
    wanted = parser.parse_args()
    wanted.folder.mkdir(parents=True, exist_ok=True)
    asyncio.run(serve(wanted.folder, wanted.port, wanted.device))


def _keep(path: Path, secret: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(secret)


if __name__ == "__main__":
    main()
