"""What sensors of the plan say, for those who look on."""

from collections.abc import Mapping

from agent.driver import DeviceFault, Instant, Onlookers, Traffic, Value
from drivers.bluetooth.shapes import ServiceInfo


class Tap(Onlookers):
    """Costs nothing while nobody looks."""

    def advertised(
        self,
        device: str,
        info: ServiceInfo,
        values: Mapping[str, Value],
        fault: DeviceFault | None = None,
    ) -> None:
        """A sensor advertised these values, or something that cannot be used."""
        if not self:
            return
        means = "  ".join([*_written(values), f"{info.rssi} dBm"])
        why = fault.message if fault else ""
        self.tell(Traffic(info.at, device, "", _hex(info), means, fault=why))

    def visited(
        self,
        device: str,
        at: Instant,
        values: Mapping[str, Value],
        fault: DeviceFault | None = None,
    ) -> None:
        """A sensor that is connected to answered, or did not."""
        if not self:
            return
        why = fault.message if fault else ""
        means = "  ".join(_written(values))
        self.tell(Traffic(at, device, "", "", means, request="a visit", fault=why))


def _written(values: Mapping[str, Value]) -> list[str]:
    return [f"{point} {value}" for point, value in values.items()]


def _hex(info: ServiceInfo) -> str:
    """Company or service, and its data, as hex bytes."""
    parts = [f"{company:04X} {data.hex(' ')}" for company, data in info.manufacturer_data.items()]
    parts += [f"{uuid[4:8]} {data.hex(' ')}" for uuid, data in info.service_data.items()]
    return "  ".join(parts).upper()
