"""Where the instruments can be reached: what their process tells the one that started it."""

from dataclasses import dataclass

MAIN_METER, OVEN_METER, INVERTER = "main-meter", "oven-meter", "inverter"
WEATHER, STORE = "weather", "flour-store"
SHOP, FREEZER, COLD_ROOM = "shop", "freezer", "cold-room"

ADDRESSES = {
    SHOP: "A4:C1:38:5B:0E:DF",
    FREEZER: "A4:C1:38:A1:B2:C3",
    COLD_ROOM: "CB:B8:33:4C:88:4F",
}


@dataclass(frozen=True, slots=True)
class Places:
    """All wires and radios of the site.

    Attributes:
        line: the serial port both meters hang on.
        inverter: host:port.
        mast: serial port of the weather station.
        logger: serial port of the flour store's logger.
        bus: address of the D-Bus on which BlueZ stands in, or None without one.
        note: why there is no radio, one sentence, or None.
    """

    line: str
    inverter: str
    mast: str
    logger: str
    bus: str | None
    note: str | None
