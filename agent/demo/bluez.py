"""A stand-in `org.bluez` on a private D-Bus: unmodified bleak where there is no radio.

Object layout, property types, order of signals and names of errors follow BlueZ 5.66. It is a
stand-in: what it does not model (pairing, loss, real signal strength) it does not prove.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from dbus_fast import Message, MessageType, Variant
from dbus_fast.aio import MessageBus

from agent.demo import air
from agent.demo.air import ADAPTER, ADAPTER_PATH, CHARACTERISTIC, DEVICE, Advert, Properties
from agent.demo.bus import private_bus
from agent.demo.listeners import Listeners, gone, patterns, watch
from agent.demo.objects import MANAGER, PROPERTIES, ObjectTree, is_set, noticed
from agent.demo.trouble import FAILED, Refusal, Trouble, Troubles

NAME: Final = "org.bluez"
UNKNOWN_OBJECT: Final = "org.freedesktop.DBus.Error.UnknownObject"
UNKNOWN_METHOD: Final = "org.freedesktop.DBus.Error.UnknownMethod"
NOT_READY: Final = "org.bluez.Error.NotReady"
REMEMBERED: Final = 1000  # calls
RESOLVING_S: Final = 0.01  # between a link and its services; 0.4 s and more through the air
ANSWERS: Final = {"GetManagedObjects": "a{oa{sa{sv}}}", "Get": "v", "ReadValue": "ay"}

Body = list[object]


@contextlib.asynccontextmanager
async def stand_in(*, passive: bool = True) -> AsyncIterator["Bluez"]:
    """A private bus with a stand-in BlueZ on it, served while the block runs.

    Args:
        passive: whether it offers advertisement monitors, as `bluetoothd --experimental` does.

    Raises:
        UnavailableError: there is no dbus-daemon.
    """
    async with private_bus() as address:
        bluez = Bluez(address, passive=passive)
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(bluez.serve(), name="stand-in BlueZ")
            await bluez.start()
            try:
                yield bluez
            finally:
                serving.cancel()
                bluez.stop()


class Bluez:
    """The adapter hci0 and the sensors around it.

    Args:
        address: of the bus, for `DBUS_SYSTEM_BUS_ADDRESS`.
        passive: see `stand_in`.

    Attributes:
        stuck: it says that it scans, and passes nothing on (BlueZ before 5.88 does that).
        calls: the methods that were called, in order.
    """

    def __init__(self, address: str, *, passive: bool = True) -> None:
        self.address = address
        self.stuck = False
        self.calls: deque[str] = deque(maxlen=REMEMBERED)
        self._bus: MessageBus | None = None
        self._tree = ObjectTree(self._send)
        self._passive = passive
        self._listeners = Listeners()
        self._adverts: dict[str, Advert] = {}
        self._troubles = Troubles()
        self._queue: asyncio.Queue[Message] = asyncio.Queue()
        self._listened = asyncio.Event()

    async def start(self) -> None:
        """The service starts: from here on it can be called, and the adapter is there."""
        bus = await MessageBus(bus_address=self.address).connect()
        bus.add_message_handler(self._take)
        await watch(bus)
        await bus.request_name(NAME)
        self._bus = bus
        self.plug()

    def stop(self) -> None:
        """The service ends without a word, and has forgotten everything when it starts again."""
        if self._bus is not None:
            self._bus.disconnect()
        self._bus = None
        self._listeners.clear()
        self._tree.forget()

    async def serve(self) -> None:
        """Answer until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                call = await self._queue.get()
                group.create_task(self._answer(call), name=f"bluez {call.member}")

    @property
    def scanning(self) -> bool:
        """Whether somebody listens and the radio is on."""
        return is_set(self._adapter, "Powered") and bool(self._listeners)

    async def listened(self) -> None:
        """Wait until somebody scans."""
        while not self.scanning:
            self._listened.clear()
            await self._listened.wait()

    def hear(self, advert: Advert) -> None:
        """A sensor advertises; it is passed on unless nobody wants it or the radio is stuck."""
        if not self.scanning or self.stuck or not self._listeners.hear(advert):
            return
        path = air.device_path(advert.mac)
        self._adverts[path] = advert
        if path in self._tree:
            self._tree.change(path, DEVICE, air.said(advert))
        else:
            self._tree.add(path, {DEVICE: air.device(advert)})

    def vanish(self, mac: str) -> None:
        """BlueZ forgets a sensor that it has not heard for a while."""
        self.drop(mac)
        self._tree.remove(air.device_path(mac))

    def drop(self, mac: str) -> None:
        """The link to a sensor is lost."""
        path = air.device_path(mac)
        if is_set(self._tree.interfaces(path)[DEVICE], "Connected"):
            self._switch(path, DEVICE, "ServicesResolved", on=False)
            self._switch(path, DEVICE, "Connected", on=False)
        for below in reversed(self._tree.below(path)):
            self._tree.remove(below)

    def set_value(self, mac: str, uuid: str, value: bytes) -> None:
        """A characteristic of a connected sensor changes."""
        for path in self._tree.below(air.device_path(mac)):
            facts = self._tree.interfaces(path).get(CHARACTERISTIC)
            if facts and facts["UUID"].value == uuid:
                self._tree.change(path, CHARACTERISTIC, {"Value": Variant("ay", value)})

    def trouble(self, method: str, trouble: Trouble) -> None:
        """Let the next calls of a method fail or hang."""
        self._troubles.order(method, trouble)

    def power(self, *, on: bool) -> None:
        """The adapter is switched on or off (rfkill)."""
        self._listeners.clear()
        self._switch(ADAPTER_PATH, ADAPTER, "Discovering", on=False)
        self._switch(ADAPTER_PATH, ADAPTER, "Powered", on=on)

    def plug(self) -> None:
        """The adapter is there."""
        monitors = {air.MONITORS: air.monitors()} if self._passive else {}
        self._tree.add(ADAPTER_PATH, {ADAPTER: air.adapter(), **monitors})

    def unplug(self) -> None:
        """The adapter is pulled out, and every sensor with it."""
        self._listeners.clear()
        for path in reversed([ADAPTER_PATH, *self._tree.below(ADAPTER_PATH)]):
            self._tree.remove(path)

    @property
    def _adapter(self) -> Properties:
        return self._tree.interfaces(ADAPTER_PATH).get(ADAPTER, {})

    def _switch(self, path: str, interface: str, name: str, *, on: bool) -> None:
        self._tree.change(path, interface, {name: air.ON if on else air.OFF})

    def _take(self, call: Message) -> bool:
        """Queue what is asked of us, notice who leaves; all else is others' business."""
        if (program := gone(call)) is not None:
            self._listeners.left(program)
        ours = call.message_type is MessageType.METHOD_CALL
        if ours:
            self._queue.put_nowait(call)
        return ours

    async def _answer(self, call: Message) -> None:
        member = call.member or ""
        self.calls.append(member)
        try:
            if self._troubles.flickers(member):
                for on in (True, False):
                    self._switch(call.path or "", DEVICE, "Connected", on=on)
            await self._troubles.suffer(member)
            body = await self._method(call)(call)
            reply = Message.new_method_return(call, ANSWERS.get(member, ""), body)
        except Refusal as refusal:
            reply = Message.new_error(call, refusal.name, refusal.text)
        self._send(reply)
        if reply.message_type is MessageType.METHOD_RETURN and member == "RegisterMonitor":
            await self._watch_for(call)

    def _send(self, message: Message) -> None:
        """Put a message on the bus; when that has died, nobody waits for it any more."""
        if self._bus is not None:
            self._bus.send(message).add_done_callback(noticed)

    def _method(self, call: Message) -> Callable[[Message], Awaitable[Body]]:
        methods: dict[tuple[str, str], Callable[[Message], Awaitable[Body]]] = {
            (MANAGER, "GetManagedObjects"): self._managed,
            (PROPERTIES, "Get"): self._get,
            (PROPERTIES, "Set"): self._set,
            (ADAPTER, "SetDiscoveryFilter"): _nothing,
            (ADAPTER, "StartDiscovery"): self._discover,
            (ADAPTER, "StopDiscovery"): self._discover,
            (air.MONITORS, "RegisterMonitor"): self._monitor,
            (air.MONITORS, "UnregisterMonitor"): self._monitor,
            (DEVICE, "Connect"): self._connect,
            (DEVICE, "Disconnect"): self._disconnect,
            (CHARACTERISTIC, "ReadValue"): self._read,
            (CHARACTERISTIC, "WriteValue"): self._write,
            (CHARACTERISTIC, "StartNotify"): self._notify,
            (CHARACTERISTIC, "StopNotify"): self._notify,
        }
        interface = call.interface or ""
        offered = interface in (MANAGER, PROPERTIES, *self._tree.interfaces(call.path or ""))
        method = methods.get((interface, call.member or "")) if offered else None
        if method is None:
            raise Refusal(UNKNOWN_METHOD, f"no method {call.member} at {call.path}")
        return method

    async def _managed(self, _: Message) -> Body:
        return [self._tree.managed()]

    async def _get(self, call: Message) -> Body:
        interface, name = call.body
        found = self._tree.interfaces(call.path or "").get(interface, {}).get(name)
        if found is None:
            raise Refusal(UNKNOWN_OBJECT, f"no {name} at {call.path}")
        return [found]

    async def _set(self, call: Message) -> Body:
        interface, name, value = call.body
        if (interface, name) == (ADAPTER, "Powered"):
            self.power(on=value.value)
            self.stuck = False
        return []

    async def _discover(self, call: Message) -> Body:
        if not is_set(self._adapter, "Powered"):
            raise Refusal(NOT_READY, "Resource Not Ready")
        starts = call.member == "StartDiscovery"
        if not starts and not is_set(self._adapter, "Discovering"):
            raise Refusal(FAILED, "No discovery started")
        (self._listeners.add if starts else self._listeners.discard)(call, "discovery")
        self._switch(ADAPTER_PATH, ADAPTER, "Discovering", on=starts)
        self._listened.set()
        return []

    async def _monitor(self, call: Message) -> Body:
        if call.member == "UnregisterMonitor":
            self._listeners.discard(call, call.body[0])
        return []

    async def _watch_for(self, call: Message) -> None:
        """What a monitor wants can be asked when its program knows that it is welcome."""
        if self._bus is not None:
            self._listeners.add(call, call.body[0], await patterns(self._bus, call))
            self._listened.set()

    async def _connect(self, call: Message) -> Body:
        path = call.path or ""
        self._switch(path, DEVICE, "Connected", on=True)
        await asyncio.sleep(RESOLVING_S)
        for below, interfaces in air.services(self._adverts[path]):
            self._tree.add(below, interfaces)
        self._switch(path, DEVICE, "ServicesResolved", on=True)
        return []

    async def _disconnect(self, call: Message) -> Body:
        path = call.path or ""
        self.drop(self._adverts[path].mac)
        return []

    async def _read(self, call: Message) -> Body:
        return [self._tree.interfaces(call.path or "")[CHARACTERISTIC]["Value"].value]

    async def _write(self, call: Message) -> Body:
        changed = {"Value": Variant("ay", call.body[0])}
        self._tree.change(call.path or "", CHARACTERISTIC, changed)
        return []

    async def _notify(self, call: Message) -> Body:
        on = call.member == "StartNotify"
        self._switch(call.path or "", CHARACTERISTIC, "Notifying", on=on)
        return []


async def _nothing(_: Message) -> Body:
    return []
