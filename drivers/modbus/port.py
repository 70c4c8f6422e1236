"""Opening, reading and losing a serial port: the only module that knows pyserial."""

import contextlib
import errno
import fcntl
import os
import select
import termios
from pathlib import Path

import serial  # type: ignore[import-untyped]  # pyserial has no types

from agent.driver import ConnectionState, DriverError
from drivers.modbus.plan import SerialPort

COME_BACK = "Waiting for it to come back; nothing else to do after plugging it in."
SHORTEST_SERIAL = 4  # of an adapter; a shorter last word of its name is part of the model
WRITE_S = 1.0  # a driver that takes no bytes for so long is stuck
MOST_NOISE = 4096  # bytes


class Port:
    """One serial port, held exclusively and never read without something to read.

    Args:
        place: where it is and how the line is set.
    """

    def __init__(self, place: SerialPort) -> None:
        self._place = place
        self._serial: serial.Serial | None = None
        self.descriptor = -1

    def open(self) -> None:
        """Take the port; other programs are kept out.

        Raises:
            DriverError: GONE it is not there, BUSY another program holds it.
        """
        place = self._place
        try:
            port = serial.Serial(
                place.port,
                place.baud,
                bytesize=place.data_bits,
                parity=place.parity,
                stopbits=place.stop_bits,
                timeout=0,
                exclusive=True,
            )
        except (OSError, ValueError, termios.error) as error:  # SerialException is an OSError
            raise _refused(place, error) from error
        _tune(port, place)
        _keep_out(port, termios.TIOCEXCL)
        self._serial, self.descriptor = port, port.fileno()

    def close(self) -> None:
        """Give it back; never raises."""
        port, self._serial, self.descriptor = self._serial, None, -1
        if port is not None:
            _keep_out(port, termios.TIOCNXCL)
            port.close()

    def write(self, data: bytes) -> None:
        """Hand all of it to the kernel.

        Raises:
            DriverError: the adapter is gone, or takes nothing.
        """
        try:
            written = os.write(self.descriptor, data)
            while written < len(data):
                if not select.select([], [self.descriptor], [], WRITE_S)[1]:
                    raise gone(self._place.port)
                written += os.write(self.descriptor, data[written:])
        except OSError as error:
            raise gone(self._place.port) from error

    def read(self, most: int) -> bytes:
        """What has arrived; call it when the port is readable.

        Raises:
            DriverError: the adapter is gone.
        """
        try:
            data = os.read(self.descriptor, most)
        except BlockingIOError:
            return b""
        except OSError as error:
            raise gone(self._place.port) from error
        if not data:  # readable, and nothing there: a hang-up
            raise gone(self._place.port)
        return data

    def discard(self) -> bool:
        """Throw away what has arrived; whether there was anything."""
        if not select.select([self.descriptor], [], [], 0)[0]:
            return False
        return bool(self.read(MOST_NOISE))


def gone(port: str) -> DriverError:
    """The adapter behind this port is not there."""
    return DriverError(
        ConnectionState.GONE, f"the adapter {adapter(port)} is gone", action=COME_BACK
    )


def adapter(port: str) -> str:
    """What a person calls the adapter: its serial number where the name of the port has one."""
    name = Path(port).name.partition("-if")[0]
    number = name.rpartition("_")[2]
    numbered = len(number) >= SHORTEST_SERIAL and any(c.isdigit() for c in number)
    return number if "/by-id/" in port and numbered else port


def _keep_out(port: serial.Serial, how: int) -> None:
    """Programs that do not ask for a lock are kept out by the kernel, until we let go."""
    with contextlib.suppress(OSError):  # the adapter may be gone already
        fcntl.ioctl(port.fileno(), how)


def _tune(port: serial.Serial, place: SerialPort) -> None:
    """Ask for what not every adapter can: no latency timer, and the transmitter's direction."""
    with contextlib.suppress(OSError, ValueError):  # a UART without such a timer, or a pty
        port.set_low_latency_mode(low_latency_settings=True)
    if not place.direction:
        return
    try:
        port.rs485_mode = serial.rs485.RS485Settings()
    except (OSError, ValueError) as error:
        port.close()
        message = f"{place.port} has no transmitter that the kernel can switch"
        action = "Remove `direction: kernel`, or use the port of the RS-485 board."
        raise DriverError(ConnectionState.GONE, message, action=action) from error


def _refused(place: SerialPort, error: Exception) -> DriverError:
    number = getattr(error, "errno", None)
    if number in {errno.EBUSY, errno.EAGAIN, errno.EWOULDBLOCK}:
        message = f"{place.port} belongs to another program"
        action = f"End the other program, or give it another adapter:  fuser -v {place.port}"
        return DriverError(ConnectionState.BUSY, message, action=action)
    if number == errno.EACCES:
        message = f"{place.port} may not be opened by this user"
        action = "Add the service's user to the group that owns the port, usually dialout."
        return DriverError(ConnectionState.GONE, message, action=action)
    if number in {errno.ENOENT, errno.ENODEV, errno.ENXIO, errno.EIO}:
        return gone(place.port)
    message = f"{place.port} cannot be used as a serial port: {error}"
    action = "Is it the right port, and does the adapter know this `line:`?  fieldpost scan serial"
    return DriverError(ConnectionState.GONE, message, action=action)
