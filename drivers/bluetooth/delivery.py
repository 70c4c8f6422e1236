"""From what was heard to what is delivered: values to the sink, faults without flooding."""

from collections.abc import Mapping, Sequence

from agent.driver import DeviceFault, Sample, Sink, Value
from drivers.bluetooth.adverts import Listener
from drivers.bluetooth.inbox import Inbox
from drivers.bluetooth.plan import Pick
from drivers.bluetooth.readings import Desk
from drivers.bluetooth.shapes import ServiceInfo
from drivers.bluetooth.tap import Tap

FAULT_EVERY_S = 10.0  # a sensor without its key says so with every packet; once is enough


class Delivery:
    """Decodes advertisements and hands them on.

    Args:
        listeners: who understands which sensor, by address.
        desk: where reads on demand wait.
        tap: where people look on.
    """

    def __init__(self, listeners: Mapping[str, Listener], desk: Desk, tap: Tap) -> None:
        self._listeners = listeners
        self._desk = desk
        self._tap = tap
        self._quiet_until_s: dict[str, float] = {}

    async def run(self, inbox: Inbox, sink: Sink) -> None:
        """Deliver until cancelled."""
        while True:
            info = await inbox.take()
            listener = self._listeners[info.address]
            try:
                found = list(listener.listen(info))
            except DeviceFault as fault:
                self._complain(listener.beacon.device, fault, info, sink)
                continue
            if found:
                await self._put(listener.beacon.device, found, info, sink)

    async def _put(
        self,
        device: str,
        found: Sequence[tuple[Pick, Value | DeviceFault]],
        info: ServiceInfo,
        sink: Sink,
    ) -> None:
        values: dict[str, Value] = {}
        for pick, one in found:
            if isinstance(one, DeviceFault):
                sink.fault(device, pick.point, one)
            else:
                values[pick.point] = one
        self._tap.advertised(device, info, values)
        self._desk.arrived(device, info.at, values)
        await sink.put(Sample(device, info.at, values))

    def _complain(self, device: str, fault: DeviceFault, info: ServiceInfo, sink: Sink) -> None:
        self._tap.advertised(device, info, {}, fault)
        self._desk.failed(device, fault)
        if info.time >= self._quiet_until_s.get(device, info.time):
            self._quiet_until_s[device] = info.time + FAULT_EVERY_S
            sink.fault(device, None, fault)
