"""What is known of one connection: what its driver says, and whether anybody on it is heard."""

from collections.abc import Iterable

from agent import plan
from agent.daemon.health.device import DeviceHealth
from agent.daemon.health.words import DeviceState
from agent.driver import ConnectionState

SETTLED_S = 15.0  # a driver that was started again and says nothing for so long has its wire back
_ABSENT = (ConnectionState.GONE, ConnectionState.BUSY)
_HEARD = (DeviceState.OK, DeviceState.LATE, DeviceState.BAD_DATA)


class ConnectionHealth:
    """The word for one wire or radio."""

    def __init__(self, connection: plan.Connection) -> None:
        self.connection = connection
        self.message: str | None = None
        self.action: str | None = None
        self._told = ConnectionState.OK
        self._started_s: float | None = None

    def told(
        self, now_s: float, state: ConnectionState, message: str | None, action: str | None
    ) -> None:
        """What supervisor or driver says.

        `ok` after `gone` only means that another attempt has begun: it counts when it has lasted.
        """
        if state not in _ABSENT and self._told in _ABSENT:
            self._started_s = now_s
            return
        self._told, self.message, self.action = state, message, action
        self._started_s = None

    def heard(self) -> None:
        """Somebody on it was heard: whatever was said before is over."""
        self._told, self.message, self.action = ConnectionState.OK, None, None
        self._started_s = None

    @property
    def absent(self) -> bool:
        """Whether there is no wire at all."""
        return self._told in _ABSENT

    @property
    def told_state(self) -> ConnectionState:
        """What was said last, whether or not anybody is heard."""
        return self._told

    def state(self, now_s: float, devices: Iterable[DeviceHealth]) -> ConnectionState:
        """Its word at this moment."""
        words = [device.state(now_s) for device in devices]
        if all(word is DeviceState.OFF for word in words):
            return ConnectionState.OFF
        if self._started_s is not None and now_s - self._started_s >= SETTLED_S:
            self.heard()
        if self.absent:
            return self._told
        return ConnectionState.OK if any(w in _HEARD for w in words) else ConnectionState.QUIET
