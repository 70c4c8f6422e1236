"""The one restart policy: a driver that fails is run again with back-off and disturbs no other.

Here stands the only blanket handler of the program: whatever a driver raises, a third party's
bug included, costs that driver a pause and nobody else anything.
"""

import asyncio
import contextlib
import random
from collections.abc import Callable
from typing import Protocol

from agent import logging
from agent.clock import Clock
from agent.driver import ConnectionState, Driver, DriverError, Sink

log = logging.get("supervisor")

FIRST_S = 1.0  # ceiling of the first pause; doubles with each failure
CEILING_S = 300.0  # of the pause after a crash
ABSENT_CEILING_S = 5.0  # a plug put back, or a port let go, is noticed within this time
STEADY_S = 60.0  # a run this long ends the series of failures


class Report(Protocol):
    """What health wants to know of a connection."""

    def connection_changed(
        self, name: str, state: ConnectionState, message: str | None, action: str | None
    ) -> None:
        """It is open, gone, or somebody else's."""
        ...


class Supervisor:
    """Runs the driver of one connection for ever.

    Args:
        name: of the connection.
        open_driver: makes a driver, without I/O.
        sink: where its samples go.
        report: who is told.
    """

    def __init__(
        self,
        name: str,
        open_driver: Callable[[], Driver],
        sink: Sink,
        report: Report,
        clock: Clock,
    ) -> None:
        self._name = name
        self._open_driver = open_driver
        self._sink = sink
        self._report = report
        self._clock = clock
        self._failures = 0
        self.driver: Driver | None = None

    async def run(self) -> None:
        """Keep the driver running until cancelled."""
        while True:
            began_s = self._clock.monotonic_s()
            ceiling_s = await self._run_once()
            if self._clock.monotonic_s() - began_s > STEADY_S:
                self._failures = 0
            self._failures += 1
            await asyncio.sleep(self._pause_s(ceiling_s))

    async def _run_once(self) -> float:
        """One life of the driver; returns the ceiling of the pause after it, seconds."""
        try:
            self.driver = self._open_driver()
            self._report.connection_changed(self._name, ConnectionState.OK, None, None)
            await self.driver.run(self._sink)
        except DriverError as error:
            self._report.connection_changed(self._name, error.state, error.message, error.action)
            return ABSENT_CEILING_S
        except Exception as error:  # noqa: BLE001 - the one place that answers for foreign bugs
            self._crashed(error)
            return CEILING_S
        finally:
            self.driver = None
        self._crashed(RuntimeError("the driver ended by itself"))
        return CEILING_S

    def _crashed(self, error: Exception) -> None:
        log.error(
            f"{self._name}: the driver failed and is started again.",
            event_type="driver.crashed",
            connection=self._name,
            error=f"{type(error).__name__}: {error}",
            exc_info=error,
        )
        self._report.connection_changed(
            self._name,
            ConnectionState.GONE,
            f"the driver failed ({type(error).__name__}: {error})",
            "fieldpost log, and tell us: this is our fault",
        )

    def _pause_s(self, ceiling_s: float) -> float:
        """Full jitter below a ceiling that doubles with each failure in a row."""
        with contextlib.suppress(OverflowError):
            ceiling_s = min(ceiling_s, FIRST_S * 2.0 ** (self._failures - 1))
        return random.uniform(ceiling_s / 2, ceiling_s)  # noqa: S311 - jitter, not a secret
