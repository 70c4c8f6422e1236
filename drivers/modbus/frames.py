"""Requests and answers on the wire, with pymodbus's framers.

pymodbus builds and takes apart frames (CRC, MBAP header, PDUs); what it leaves out is checked here:
unit, function and byte count of an answer, and the transaction number of a TCP answer. Answers are
looked for by what the request makes them begin with, because a frame may follow noise or an echo.

Sources: Modbus application protocol V1.1b3; Modbus over serial line V1.02, 2.5; Modbus messaging on
TCP/IP V1.0b, 3.1.
"""

from typing import Protocol

from pymodbus.framer import FramerAscii, FramerRTU, FramerSocket
from pymodbus.pdu import DecodePDU

from drivers.modbus.requests import CRC_BYTES, REFUSAL, Request

REFUSAL_BYTES = 5  # unit, function, code, CRC
NUMBER_BYTES = 2  # a TCP frame begins with the number of its request
MOST_KNOWN = 1000  # requests whose frames are kept; a line with more makes some of them again
MBAP_BYTES = 6  # of the header in front of the unit id
SHORTEST = 3  # unit, function and one byte of data
LONGEST = 260  # of any TCP frame; more is another protocol
ROLL_OVER = 0x10000
PROTOCOL = b"\0\0"  # the header's word for Modbus
REFUSAL_PDU = 2  # bytes: function and code
ASCII_FRAME_BYTES = 3  # colon, CR, LF


class Damaged(Exception):
    """Something came, and it is no answer to this request.

    Args:
        what: half a sentence for a person: "wrong checksum".
    """

    def __init__(self, what: str, heard: bytes) -> None:
        super().__init__(what)
        self.what = what
        self.heard = heard


class Silent(Exception):
    """Nothing came in time."""


class Refused(Exception):
    """The device answered with an exception code (application protocol, section 7)."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Framing(Protocol):
    """How requests and answers stand on one kind of wire."""

    def frame(self, request: Request, number: int) -> bytes:
        """The bytes to send; `number` tells this request from the one before."""
        ...

    def find(self, heard: bytes | bytearray, request: Request, number: int) -> bytes | None:
        """The whole answer's frame in what was heard so far, or None while it is not complete.

        Raises:
            Damaged: what was heard can never become the answer.
        """
        ...

    def pdu(self, frame: bytes) -> bytes:
        """Function code and data of a frame that `find` returned."""
        ...

    def length(self, request: Request) -> int:
        """Bytes of the whole answer's frame."""
        ...


class RtuFraming:
    """Unit, PDU, CRC: a serial line, or a converter that passes the same bytes through TCP."""

    def __init__(self) -> None:
        self._framer = FramerRTU(DecodePDU(is_server=False))
        self._made: tuple[Request | None, bytes] = None, b""

    def frame(self, request: Request, number: int) -> bytes:
        """The bytes to send."""
        if self._made[0] is not request:
            self._made = request, self._framer.encode(request.pdu, request.unit, number)
        return self._made[1]

    def find(self, heard: bytes | bytearray, request: Request, number: int) -> bytes | None:
        """The answer in what was heard; our own request is passed over, if it is heard back."""
        echo = self.frame(request, number)
        start = len(echo) if heard.startswith(echo) and len(echo) != request.length else 0
        at, length = heard.find(request.begins, start), request.length
        if at < 0:
            at, length = heard.find(request.refusal, start), REFUSAL_BYTES
        if at < 0 or len(heard) < at + length:
            return None
        return self._checked(bytes(heard[at : at + length] if length else heard[at:]))

    def pdu(self, frame: bytes) -> bytes:
        """Function code and data."""
        return frame[1:-2]

    def length(self, request: Request) -> int:
        """Bytes of the whole answer's frame."""
        return request.length

    def _checked(self, frame: bytes) -> bytes | None:
        used, _, _, pdu = self._framer.decode(frame)
        if not used:
            return None  # of a length that only its own bytes tell
        if not pdu:
            what = "wrong checksum"
            raise Damaged(what, frame)
        return frame[: len(pdu) + 1 + CRC_BYTES]


class TcpFraming:
    """MBAP header and PDU."""

    def __init__(self) -> None:
        self._framer = FramerSocket(DecodePDU(is_server=False))
        self._made: dict[Request, tuple[bytes, bytes]] = {}
        self._last: tuple[Request | None, tuple[bytes, bytes]] = None, (b"", b"")

    def frame(self, request: Request, number: int) -> bytes:
        """The bytes to send."""
        return number.to_bytes(NUMBER_BYTES) + self._known(request)[0]

    def find(self, heard: bytes | bytearray, request: Request, number: int) -> bytes | None:
        """The answer in what was heard; answers to requests before this one are passed over."""
        if len(heard) == self.length(request) and request.length:
            # by far the commonest: just the answer, of which every byte but the data is known
            begins = number.to_bytes(NUMBER_BYTES) + self._known(request)[1]
            if heard.startswith(begins):
                return bytes(heard)
        data = bytes(heard)
        while len(data) > MBAP_BYTES:
            if data[2:4] != PROTOCOL or not SHORTEST <= data[4] << 8 | data[5] <= LONGEST:
                what = "not Modbus TCP"  # and it never becomes a frame
                raise Damaged(what, data)
            used, unit, found, pdu = self._framer.decode(data)
            if not used:
                return None
            if found == number and unit == request.unit:
                return _matching(data if used == len(data) else data[:used], pdu, request)
            data = data[used:]
        return None

    def pdu(self, frame: bytes) -> bytes:
        """Function code and data."""
        return frame[MBAP_BYTES + 1 :]

    def length(self, request: Request) -> int:
        """Bytes of the whole answer's frame."""
        return request.length - CRC_BYTES + MBAP_BYTES

    def _known(self, request: Request) -> tuple[bytes, bytes]:
        """What follows the number in the request's frame, and in its answer's."""
        if self._last[0] is request:
            return self._last[1]
        known = self._made.get(request)
        if known is None:
            asked = self._framer.encode(request.pdu, request.unit, 0)[NUMBER_BYTES:]
            length = (request.length - CRC_BYTES).to_bytes(2) if request.length else b""
            if len(self._made) >= MOST_KNOWN:
                self._made.clear()
            known = self._made[request] = asked, PROTOCOL + length + request.begins
        self._last = request, known
        return known


class AsciiFraming:
    """A colon, hex digits, LRC, CR LF: Modbus over serial line V1.02, 2.5.2."""

    def __init__(self) -> None:
        self._framer = FramerAscii(DecodePDU(is_server=False))

    def frame(self, request: Request, number: int) -> bytes:
        """The bytes to send."""
        return self._framer.encode(request.pdu, request.unit, number)

    def find(self, heard: bytes | bytearray, request: Request, number: int) -> bytes | None:
        """The answer in what was heard; our own request is passed over, if it is heard back."""
        echo, at = self.frame(request, number), 0
        while (end := heard.find(b"\r\n", at)) >= 0:
            frame = bytes(heard[heard.find(b":", at) : end + 2])
            at = end + 2
            if frame == echo and len(echo) != self.length(request):
                continue
            unit, pdu = self._taken_apart(frame)
            if unit == request.unit:
                return _matching(frame, pdu, request)
        return None

    def pdu(self, frame: bytes) -> bytes:
        """Function code and data."""
        return bytes.fromhex(frame[3:-4].decode("ascii"))

    def length(self, request: Request) -> int:
        """Bytes of the whole answer's frame."""
        return 2 * (request.length - 1) + ASCII_FRAME_BYTES

    def _taken_apart(self, frame: bytes) -> tuple[int, bytes]:
        what = "wrong checksum"
        try:
            _, unit, _, pdu = self._framer.decode(frame)
        except ValueError as error:  # the unit's two digits are none
            raise Damaged(what, frame) from error
        if not pdu:
            raise Damaged(what, frame)
        return unit, pdu


def payload(pdu: bytes) -> bytes:
    """The data of an answer to a read.

    Raises:
        Refused: it is an exception answer.
    """
    if pdu[0] & REFUSAL:
        raise Refused(pdu[1])
    return pdu[2:]


def _matching(frame: bytes, pdu: bytes, request: Request) -> bytes:
    length = request.length - CRC_BYTES - 1 if request.length else len(pdu)
    if len(pdu) == length and pdu.startswith(request.begins[1:]):
        return frame
    if len(pdu) == REFUSAL_PDU and pdu[0] == request.function | REFUSAL:
        return frame
    what = "an answer to another question"
    raise Damaged(what, frame)
