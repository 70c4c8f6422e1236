"""Have `prepare` make or migrate the store: a child process, so that its libraries stay out."""

import asyncio
from pathlib import Path

from agent.daemon.buffer.database import Unusable
from agent.daemon.programs import program
from agent.errors import FieldpostError

DAMAGED = 2  # exit code of agent.prepare.store
MAKE_S = 60.0  # a migration never copies data, so even a slow card is done long before


async def make_store(folder: Path) -> None:
    """Make the store in this folder, or bring it to this version's format.

    Raises:
        Unusable: what lies there is damaged, and stays so.
        FieldpostError: it could not be done; the text is the child's.
    """
    child = await asyncio.create_subprocess_exec(
        *program("agent.prepare.store", str(folder)),
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(MAKE_S):
            _, said = await child.communicate()
    except TimeoutError as error:
        child.kill()
        await child.wait()
        message = f"making the store in {folder} took longer than {MAKE_S:.0f} s"
        raise FieldpostError(message) from error
    if child.returncode:
        lines = said.decode(errors="replace").strip().splitlines()
        text = lines[-1] if lines else f"the store in {folder} cannot be made"
        raise Unusable(text) if child.returncode == DAMAGED else FieldpostError(text)
