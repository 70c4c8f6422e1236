"""When to commit: at most a window after the oldest sample, at once for urgent ones, never idly.

One transaction is under way at a time, on the store's thread; whatever comes meanwhile waits for
the next one. Only events start anything: while nothing is accepted and nothing settled, no timer
runs.
"""

import asyncio
from functools import partial
from typing import Protocol

from agent.clock import Clock
from agent.daemon.buffer.cutting import size_of
from agent.daemon.buffer.model import Count
from agent.daemon.buffer.orders import Done, Order
from agent.daemon.buffer.thread import StoreThread
from agent.daemon.buffer.trouble import FullError
from agent.sample import Sample

QUEUE_BYTES = 4 << 20  # of samples before packing: the most that waits for a stalled card
RETRY_S = 1.0  # between attempts while the quota leaves no room


class Work(Protocol):
    """What the buffer does for its commits."""

    def compose(self, samples: list[Sample]) -> Order:
        """An order for these samples."""
        ...

    def amend(self, order: Order) -> None:
        """Add everything else the next transaction should hold."""
        ...

    def write(self, order: Order) -> Done:
        """Make it durable; runs on the store's thread."""
        ...

    def committed(self, done: Done) -> None:
        """Tell who waits."""
        ...

    def gave_up(self, error: BaseException) -> None:
        """Nothing will be committed any more."""
        ...

    def out_of_room(self) -> None:
        """Make some: the quota leaves none for what has to be committed."""
        ...


class Commits:
    """Gathers samples and has them committed in time."""

    def __init__(self, window_s: float, clock: Clock, thread: StoreThread, work: Work) -> None:
        self._window_s = window_s
        self._clock = clock
        self._thread = thread
        self._work = work
        self._samples: list[Sample] = []
        self._bytes = 0
        self._oldest_s = 0.0
        self._failed: Order | None = None
        self._job: asyncio.Future[Done] | None = None
        self._under_way_since_s = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._due = False
        self._next_done: asyncio.Future[None] | None = None
        self._under_way: asyncio.Future[None] | None = None
        self._ended: list[asyncio.Future[None]] = []

    @property
    def full(self) -> bool:
        """Whether `put` has to wait."""
        return self._bytes >= QUEUE_BYTES

    @property
    def uncommitted_age_s(self) -> float:
        """Age of the oldest accepted sample that is not on the card."""
        since = self._under_way_since_s or self._oldest_s  # a transaction may hold no sample
        return max(0.0, self._clock.monotonic_s() - since) if since else 0.0

    @property
    def left(self) -> Count:
        """What was accepted and has not been committed; while no transaction is under way."""
        samples = [*(self._failed.samples if self._failed else ()), *self._samples]
        return Count(len(samples), sum(len(sample.values) for sample in samples))

    def accept(self, sample: Sample) -> None:
        """Take one sample in."""
        if not self._samples:
            self._oldest_s = self._clock.monotonic_s()
            self.want(self._window_s)
        self._samples.append(sample)
        self._bytes += size_of(sample.values.values())
        if self._bytes >= QUEUE_BYTES:
            self.want(0.0)

    def withdraw(self, sample: Sample) -> None:
        """Take back a sample whose `put` was cancelled, unless it is on its way already."""
        for place, waiting in enumerate(self._samples):
            if waiting is sample:
                del self._samples[place]
                return

    def want(self, within_s: float) -> None:
        """Have a commit take place no later than in `within_s` seconds."""
        loop = asyncio.get_running_loop()
        due = loop.time() + within_s
        if self._timer is not None:
            if self._timer.when() <= due:
                return
            self._timer.cancel()
        self._timer = loop.call_at(due, self._start)

    async def next_done(self) -> None:
        """Return when everything accepted so far is committed."""
        if self._next_done is None:
            self._next_done = asyncio.get_running_loop().create_future()
        await asyncio.shield(self._next_done)

    async def flush(self) -> bool:
        """Commit what there is, now, but not what comes meanwhile.

        Returns:
            Whether everything accepted before is committed; False: the quota leaves no room.
        """
        # one that is under way, or failed before, does not hold what came since
        jobs = 1 if self._job is None and self._failed is None else 2
        self._start()
        for _ in range(jobs):
            if self._job is None:
                self._start()
            ended = asyncio.get_running_loop().create_future()
            self._ended.append(ended)
            await ended
            if self._failed is not None:
                return False
        return True

    def _start(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._job is not None:
            self._due = True
            return
        self._due = False
        order = self._failed or self._composed()
        self._work.amend(order)
        self._job = self._thread.start(self._work.write, order)
        self._job.add_done_callback(partial(self._finished, order))

    def _composed(self) -> Order:
        self._under_way_since_s = self._oldest_s
        samples, self._samples = self._samples, []
        self._bytes, self._oldest_s = 0, 0.0
        self._under_way, self._next_done = self._next_done, None
        return self._work.compose(samples)

    def _finished(self, order: Order, job: asyncio.Future[Done]) -> None:
        self._job = None
        ended, self._ended = self._ended, []
        self._take_in(order, job)
        for waiter in ended:
            if not waiter.done():
                waiter.set_result(None)

    def _take_in(self, order: Order, job: asyncio.Future[Done]) -> None:
        error = job.exception()
        if isinstance(error, FullError):
            self._failed = order
            self._work.out_of_room()
            self.want(RETRY_S)
            return
        if error is not None:
            self._failed = order
            self._work.gave_up(error)
            return
        self._failed = None
        self._under_way_since_s = 0.0
        self._work.committed(job.result())
        if self._under_way is not None:
            self._under_way.set_result(None)
            self._under_way = None
        if self._due or (self._samples and self._timer is None):  # came after one that failed
            self._start()
