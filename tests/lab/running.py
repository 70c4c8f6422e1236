"""The plant as a program of its own, and what it has claimed so far."""

import os
import select
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from tests.lab.plant import Told

FIRST_LINE_S = 20.0
WRITER = (sys.executable, "-m", "tests.lab.plant")


class Running:
    """A store being written to by another process; ended when the block ends.

    Args:
        options: of `tests.lab.plant`.
    """

    def __init__(
        self, folder: Path, told: Told, *options: str, env: Mapping[str, str] | None = None
    ) -> None:
        self.told = told
        self._command = [*WRITER, str(folder), *options]
        self._env = dict(env or os.environ)
        self._process: subprocess.Popen[bytes] | None = None
        self._rest = b""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command, env=self._env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None
        return self._process

    def listen(self, seconds: float, *, after_first_line: bool = True) -> None:
        """Hear claims for a while; only what was heard counts."""
        assert self.process.stdout is not None
        pipe = self.process.stdout.fileno()
        os.set_blocking(pipe, False)
        limit = time.monotonic() + (FIRST_LINE_S if after_first_line else seconds)
        while time.monotonic() < limit:
            if not select.select([pipe], [], [], 0.001)[0]:
                continue
            fresh = os.read(pipe, 1 << 16)
            if not fresh:
                return
            *lines, self._rest = (self._rest + fresh).split(b"\n")
            for line in lines:
                self.told.hear(line.decode())
            if lines and after_first_line:
                after_first_line, limit = False, time.monotonic() + seconds

    def kill(self) -> None:
        """End it without a word."""
        self.process.kill()
        self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()


def ran(folder: Path, *options: str, env: Mapping[str, str] | None = None) -> tuple[int, Told, str]:
    """Run it to its end: exit code, claims, and what it wrote to standard error."""
    done = subprocess.run(
        [*WRITER, str(folder), *options],
        env=dict(env or os.environ),
        capture_output=True,
        check=False,
        timeout=120,
    )
    return done.returncode, Told.of(done.stdout.decode().splitlines()), done.stderr.decode()
