"""What goes wrong on the stand-in BlueZ because a test, or the demo, ordered it."""

import asyncio
from dataclasses import dataclass
from typing import Final

FAILED: Final = "org.bluez.Error.Failed"
ABORTED: Final = "le-connection-abort-by-local"  # bleak itself tries again after this one


@dataclass(frozen=True, slots=True)
class Trouble:
    """What goes wrong with the next calls of one method: an error, or a wait."""

    text: str = "failed"
    error: str = FAILED
    times: int = 1
    hang_s: float = 0.0


class Refusal(Exception):
    """A D-Bus error to answer with."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(name, text)
        self.name = name
        self.text = text


class Troubles:
    """What is still to go wrong, by method."""

    def __init__(self) -> None:
        self._ordered: dict[str, list[Trouble]] = {}

    def order(self, method: str, trouble: Trouble) -> None:
        """Let the next calls of this method suffer it."""
        self._ordered[method] = [trouble] * trouble.times

    def flickers(self, method: str) -> bool:
        """Whether a link is shown for a moment; bleak waits for that before it tries again."""
        return any(trouble.text == ABORTED for trouble in self._ordered.get(method, []))

    async def suffer(self, method: str) -> None:
        """Wait or refuse, as ordered.

        Raises:
            Refusal: the error that was ordered.
        """
        waiting = self._ordered.get(method)
        if not waiting:
            return
        trouble = waiting.pop()
        if not trouble.hang_s:
            raise Refusal(trouble.error, trouble.text)
        await asyncio.sleep(trouble.hang_s)
