"""A line that `fieldpost monitor --record` has kept, standing beside the demo's instruments.

The replay is a program of the Modbus driver; of the recording only what its devices are is read
here: name, profile and address stand in each line.
"""

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agent.errors import ValidationError

PACKAGED: Final = Path(__file__).parent / "files" / "line.jsonl"
EVERY: Final = "1s"
STARTS_WITHIN_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Recorded:
    """A replay that answers.

    Attributes:
        host: where, host:port.
        devices: name, profile and address of each.
        child: the program that answers.
    """

    host: str = ""
    devices: tuple[tuple[str, str, str], ...] = ()
    child: asyncio.subprocess.Process | None = None

    @property
    def names(self) -> Sequence[str]:
        """Of its devices."""
        return [name for name, _, _ in self.devices]

    def quiet(self) -> None:
        """From here on nothing new is said."""
        if self.child and self.child.returncode is None:
            self.child.terminate()

    def added_to(self, configuration: str) -> str:
        """The demo's file with this line and its devices."""
        if not self.devices:
            return configuration
        line = f"connections:\n  recorded:\n    kind: modbus-tcp\n    host: {self.host}\n\n"
        blocks = [
            f"  {name}:\n    profile: {profile}\n    via: recorded\n    address: {address}\n"
            f"    every: {EVERY}\n\n"
            for name, profile, address in self.devices
        ]
        with_line = configuration.replace("connections:\n", line, 1)
        return with_line.replace("cloud:\n", "".join(blocks) + "cloud:\n", 1)


@contextlib.asynccontextmanager
async def played(file: Path | None) -> AsyncIterator[Recorded]:
    """Answer in the place of a recording's devices, until the block ends.

    Raises:
        ValidationError: it is no recording, or does not say what its devices are.
    """
    if file is None:
        yield Recorded()
        return
    devices = _devices(file)
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "drivers.modbus.replay", str(file), "--listen", "127.0.0.1:0"),
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        assert child.stdout is not None  # noqa: S101 - asked for above
        async with asyncio.timeout(STARTS_WITHIN_S):
            said = (await child.stdout.readline()).decode()
        yield Recorded(said.rpartition(" ")[2].strip(), devices, child)
    finally:
        Recorded(child=child).quiet()
        await child.wait()


def _devices(file: Path) -> tuple[tuple[str, str, str], ...]:
    """What the lines say of their devices, each once."""
    try:
        told = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
        found = {(t["device"], t["profile"], t["address"]): None for t in told if t.get("profile")}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _unfit(file, "is no recording of a line") from error
    if not found:
        raise _unfit(file, "does not say what its devices are")
    return tuple(found)


def _unfit(file: Path, why: str) -> ValidationError:
    message = f"{file} {why}; record one:  fieldpost monitor CONNECTION --record FILE"
    return ValidationError(field="replay", reason="malformed", message=message)
