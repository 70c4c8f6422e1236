"""The one restart policy: a driver that fails is run again with back-off and disturbs no other.

Here stand the only blanket handlers of the program: whatever a driver raises, a third party's bug
included, costs that driver a pause, or whoever asked it an answer, and nobody else anything.
"""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable
from typing import Protocol

from agent import logging
from agent.clock import Clock
from agent.driver import ConnectionState, Driver, DriverError, Sink
from agent.errors import FieldpostError, NoAnswerError

log = logging.get("supervisor")

FIRST_S = 1.0  # ceiling of the first pause; doubles with each failure
CEILING_S = 300.0  # of the pause after a crash
ABSENT_CEILING_S = 5.0  # a plug put back, or a port let go, is noticed within this time
STEADY_S = 60.0  # a run this long ends the series of failures
ANSWER_S = 60.0  # a Bluetooth device that has to be connected first needs half of it
OUR_FAULT = "fieldpost log, and tell us: this is our fault"


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
        except asyncio.CancelledError:
            if _stopping():
                raise
            self._crashed(RuntimeError("the driver cancelled itself"))
        except (Exception, SystemExit) as error:  # noqa: BLE001 - answers for foreign bugs
            self._crashed(error)
        else:
            self._crashed(RuntimeError("the driver ended by itself"))
        finally:
            self.driver = None
        return CEILING_S

    def _crashed(self, error: BaseException) -> None:
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
            OUR_FAULT,
        )

    def _pause_s(self, ceiling_s: float) -> float:
        """Full jitter below a ceiling that doubles with each failure in a row."""
        with contextlib.suppress(OverflowError):
            ceiling_s = min(ceiling_s, FIRST_S * 2.0 ** (self._failures - 1))
        return random.uniform(ceiling_s / 2, ceiling_s)  # noqa: S311 - jitter, not a secret


@contextlib.asynccontextmanager
async def asked(connection: str, within_s: float = ANSWER_S) -> AsyncIterator[None]:
    """Around whatever a driver is asked between its rounds: it ends in time, and as an answer.

    Raises:
        NoAnswerError: it did not answer in time, or failed in a way that nobody foresaw.
        FieldpostError: what it says itself.
    """
    try:
        async with asyncio.timeout(within_s):
            yield
    except FieldpostError:
        raise
    except TimeoutError as error:
        message = f"{connection} did not answer within {within_s:.0f} s."
        raise NoAnswerError(message, action="fieldpost status") from error
    except Exception as error:
        log.exception(
            f"{connection}: the driver failed when it was asked.",
            event_type="driver.failed",
            connection=connection,
        )
        message = f"the driver of {connection} failed ({type(error).__name__}: {error})"
        raise NoAnswerError(message, action=OUR_FAULT) from error


def _stopping() -> bool:
    """Whether somebody cancelled us; a driver's own lost cancellation is none."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
