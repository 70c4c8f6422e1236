"""A driver that fails is run again and disturbs nobody."""

import asyncio

from agent.clock import SystemClock
from agent.daemon.supervisor import Supervisor
from agent.driver import ConnectionState, Driver, DriverError, Sink
from tests.daemon.twins import Reported


class Failing:
    """Raises what it was given, once; then runs for ever."""

    lives = 0

    def __init__(self, error: Exception) -> None:
        self._error: Exception | None = error

    async def run(self, sink: Sink) -> None:
        del sink
        self.lives += 1
        if (error := self._error) is not None:
            self._error = None
            raise error
        await asyncio.Event().wait()


async def lives_again(driver: Driver, report: Reported, enough: int) -> None:
    supervisor = Supervisor("rs485", lambda: driver, object(), report, SystemClock())  # type: ignore[arg-type]  # this driver never uses its sink
    async with asyncio.TaskGroup() as group:
        task = group.create_task(supervisor.run(), name="supervisor")
        async with asyncio.timeout(20):
            while len(report.states) < enough:
                await asyncio.sleep(0.01)
        task.cancel()


async def test_a_lost_connection_is_named_and_opened_again() -> None:
    report = Reported()
    driver = Failing(DriverError(ConnectionState.GONE, "the adapter is gone"))
    await lives_again(driver, report, 3)
    assert report.states[1] == (ConnectionState.GONE, "the adapter is gone")
    assert report.states[2] == (ConnectionState.OK, None)
    assert driver.lives == 2


async def test_a_bug_in_a_driver_is_told_as_such_and_the_driver_runs_again() -> None:
    report = Reported()
    driver = Failing(ZeroDivisionError("division by zero"))
    await lives_again(driver, report, 3)
    assert "ZeroDivisionError" in str(report.states[1][1])
    assert driver.lives == 2
