"""Is a destination there, data or not: heartbeats, or a knock while there is nothing to send."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from agent.cloud import Beats, Place, Vitals
from agent.cloud.knock import knock
from agent.daemon.uplink.allowance import Allowance
from agent.daemon.uplink.comeback import Comeback
from agent.errors import FieldpostError

FIRST_KNOCK_S, KNOCK_S = 2.0, 60.0  # whether anybody is there, while nothing is to be sent


class Report(Protocol):
    """What health wants to know of a lane."""

    def delivered(self, destination: str, readings: int, partly: int = 0) -> None:
        """So many readings were received."""
        ...

    def refused(self, destination: str, readings: int, reason: str) -> None:
        """So many readings were judged and set aside."""
        ...

    def destination_failed(
        self, destination: str, error: FieldpostError, next_try_s: float | None
    ) -> None:
        """It cannot be reached, or does not let us in; the next try is known."""
        ...

    def surpassed(self, destination: str) -> None:
        """It knows of samples that were never sent."""
        ...

    def beat(self, destination: str, error: FieldpostError | None) -> None:
        """A heartbeat was answered, or was not."""
        ...


class Presence:
    """Tells health, and the other lanes, that a destination is there.

    Args:
        name: of the destination.
        report: who is told.
        allowance: heartbeats are paid from it.
        recall: called after a heartbeat that was answered.
        begins_s: nothing is sent before so many seconds.
    """

    def __init__(
        self,
        name: str,
        report: Report,
        allowance: Allowance,
        recall: Callable[[object], None],
        begins_s: float = 0.0,
    ) -> None:
        self._begins_s = begins_s
        self._name = name
        self._report = report
        self._allowance = allowance
        self._recall = recall

    async def knock(self, place: Place, asked: Callable[[], bool]) -> None:
        """Until there is something to send: a wrong port is named before that."""
        failed, pause_s = False, self._begins_s + FIRST_KNOCK_S
        while True:
            await asyncio.sleep(pause_s)
            error = None if asked() else await knock(place)
            if error or failed:
                self._report.beat(self._name, error)
            if asked():
                return
            failed, pause_s = error is not None, KNOCK_S

    async def beat(self, cloud: Beats, vitals: Callable[[], Vitals], comeback: Comeback) -> None:
        """Tell the destination that we live; a refused heartbeat never stops telemetry."""
        failed = False
        await asyncio.sleep(self._begins_s)
        while True:
            if not self._allowance.used_up:
                answered = await self._beaten(cloud, vitals())
                if answered and failed:
                    comeback.heard()
                failed = not answered
            await asyncio.sleep(cloud.beat_every_s)

    async def _beaten(self, cloud: Beats, vitals: Vitals) -> bool:
        """One heartbeat; returns whether it was answered."""
        try:
            await cloud.beat(vitals)
        except FieldpostError as error:
            self._report.beat(self._name, error)
            return False
        finally:
            self._allowance.used(cloud, 0)
        self._report.beat(self._name, None)
        self._recall(cloud)
        return True
