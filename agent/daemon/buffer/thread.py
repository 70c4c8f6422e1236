"""The one thread that owns the SQLite connection."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, TypeVarTuple

T = TypeVar("T")
Args = TypeVarTuple("Args")


class StoreThread:
    """Runs one thing after the other, beside the event loop."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="store")

    def start(self, work: Callable[[*Args], T], *args: *Args) -> asyncio.Future[T]:
        """Have it run; the future is the event loop's."""
        return asyncio.get_running_loop().run_in_executor(self._executor, work, *args)

    async def run(self, work: Callable[[*Args], T], *args: *Args) -> T:
        """Have it run, and wait for it; raises what it raises."""
        return await self.start(work, *args)

    def stop(self) -> None:
        """No more work; what is under way ends by itself."""
        self._executor.shutdown(wait=False)
