"""All that a driver author imports: what a driver gets, what it offers, how it says what failed.

A driver package offers two entry points of the same name, the `kind:` of a connection:

* `fieldpost.settings` names a `ConnectionKind` (`agent.prepare.kinds`), used by `prepare` alone;
* `fieldpost.drivers` names an `Opens`: a function that takes the compiled spec and does no I/O.

One driver object owns one connection (a line, a host, a radio) and all devices on it.
"""

from agent.driver.abilities import (
    Asker,
    Asks,
    Discovered,
    Discovers,
    Listens,
    Monitors,
    Quality,
    Question,
    Reading,
    Reads,
    Traffic,
    Writes,
)
from agent.driver.contract import (
    ConnectionState,
    DeviceFault,
    Driver,
    DriverError,
    Opens,
    Reason,
    Sink,
)
from agent.driver.figures import Figures, Measures
from agent.driver.finding import (
    Candidate,
    Finder,
    Mark,
    Place,
    Proof,
    Search,
    Sighting,
    Step,
    Trial,
)
from agent.driver.onlookers import Onlookers
from agent.driver.serial_port import COME_BACK, adapter, gone, identity, not_opened
from agent.plan import Json
from agent.sample import Instant, Sample, Value
from agent.secret import Secret

__all__ = [
    "COME_BACK",
    "Asker",
    "Asks",
    "Candidate",
    "ConnectionState",
    "DeviceFault",
    "Discovered",
    "Discovers",
    "Driver",
    "DriverError",
    "Figures",
    "Finder",
    "Instant",
    "Json",
    "Listens",
    "Mark",
    "Measures",
    "Monitors",
    "Onlookers",
    "Opens",
    "Place",
    "Proof",
    "Quality",
    "Question",
    "Reading",
    "Reads",
    "Reason",
    "Sample",
    "Search",
    "Secret",
    "Sighting",
    "Sink",
    "Step",
    "Traffic",
    "Trial",
    "Value",
    "Writes",
    "adapter",
    "gone",
    "identity",
    "not_opened",
]
