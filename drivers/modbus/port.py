"""Opening, reading and losing a serial port: the only module that knows pyserial."""

import contextlib
import fcntl
import os
import select
import termios

import serial.rs485  # type: ignore[import-untyped]  # pyserial has no types

from agent.driver import ConnectionState, DriverError, gone, not_opened
from drivers.modbus.plan import SerialPort

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
            raise not_opened(place.port, error) from error
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
