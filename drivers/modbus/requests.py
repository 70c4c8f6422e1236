"""What can be asked of a device, as PDUs made by pymodbus, and what each answer begins with.

Source: Modbus application protocol V1.1b3, section 6.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from pymodbus.pdu import DecodePDU, ModbusPDU
from pymodbus.pdu.bit_message import (
    ReadCoilsRequest,
    ReadDiscreteInputsRequest,
    WriteSingleCoilRequest,
)
from pymodbus.pdu.mei_message import ReadDeviceInformationRequest, ReadDeviceInformationResponse
from pymodbus.pdu.register_message import (
    MaskWriteRegisterRequest,
    ReadHoldingRegistersRequest,
    ReadInputRegistersRequest,
    WriteMultipleRegistersRequest,
    WriteSingleRegisterRequest,
)

from drivers.modbus.plan import FUNCTION, Table

REFUSAL = 0x80  # added to the function code of an exception answer
OVERHEAD_BYTES = 5  # unit, function, byte count, CRC
CRC_BYTES = 2
WRITTEN_BYTES = 8  # of the answer to function 16: unit, function, address, count, CRC
BASIC = 1  # of a device identification: maker, product code, version
READ_BYTES = 5  # of a question that reads: function, address, count
MOST_REGISTERS = 125  # of one answer (6.3)
MOST_BITS = 2000  # of one answer (6.1)
MEI_BEGINS = 2  # bytes of its answer that are known before: function, kind

_READS: dict[Table, type[ModbusPDU]] = {
    Table.COIL: ReadCoilsRequest,
    Table.DISCRETE: ReadDiscreteInputsRequest,
    Table.HOLDING: ReadHoldingRegistersRequest,
    Table.INPUT: ReadInputRegistersRequest,
}


@dataclass(frozen=True, slots=True)
class Request:
    """One request, ready to be framed, and what its answer must begin with.

    Attributes:
        pdu: function code and data.
        begins: unit, function and what is known of the answer's data (a read's byte count).
        length: of the whole answer as an RTU frame, bytes; 0 when only the answer tells.
    """

    unit: int
    pdu: bytes
    begins: bytes
    length: int

    @property
    def function(self) -> int:
        """The function code."""
        return self.pdu[0]

    @property
    def refusal(self) -> bytes:
        """What an exception answer begins with."""
        return bytes([self.unit, self.function | REFUSAL])


def read_request(unit: int, table: Table, start: int, count: int) -> Request:
    """A read of `count` registers or bits, from the zero-based address `start`."""
    message = _READS[table](dev_id=unit, address=start, count=count)
    pdu = bytes([message.function_code]) + message.encode()
    bytes_back = (count + 7) // 8 if table.of_bits else 2 * count
    begins = bytes([unit, message.function_code, bytes_back])
    return Request(unit, pdu, begins, OVERHEAD_BYTES + bytes_back)


def harmless(unit: int, pdu: bytes) -> Request | None:
    """A question that somebody else has put together, if it only reads.

    Args:
        unit: whom to ask.
        pdu: function code and data.

    Returns:
        None when it could change something, or is no question we know.
    """
    table = next((t for t, code in FUNCTION.items() if pdu[:1] == bytes([code])), None)
    if table is not None and len(pdu) == READ_BYTES:
        start, count = int.from_bytes(pdu[1:3]), int.from_bytes(pdu[3:5])
        most = MOST_BITS if table.of_bits else MOST_REGISTERS
        return read_request(unit, table, start, count) if 1 <= count <= most else None
    asked = identification_request(unit)
    return asked if pdu == asked.pdu else None


def write_coil_request(unit: int, address: int, *, on: bool) -> Request:
    """Function 5; the answer repeats the request."""
    return _echoed(unit, WriteSingleCoilRequest(dev_id=unit, address=address, bits=[on]))


def write_registers_request(unit: int, address: int, data: bytes) -> Request:
    """Function 6 for one register, 16 for more."""
    words = [int.from_bytes(data[i : i + 2]) for i in range(0, len(data), 2)]
    if len(words) == 1:
        message = WriteSingleRegisterRequest(dev_id=unit, address=address, registers=words)
        return _echoed(unit, message)
    many = WriteMultipleRegistersRequest(dev_id=unit, address=address, registers=words)
    pdu = bytes([many.function_code]) + many.encode()
    return Request(unit, pdu, bytes([unit]) + pdu[:5], WRITTEN_BYTES)


def mask_request(unit: int, address: int, keep: int, put: int) -> Request:
    """Function 22: register = register & keep | put & ~keep."""
    message = MaskWriteRegisterRequest(address=address, and_mask=keep, or_mask=put, dev_id=unit)
    return _echoed(unit, message)


def _echoed(unit: int, message: ModbusPDU) -> Request:
    pdu = bytes([message.function_code]) + message.encode()
    return Request(unit, pdu, bytes([unit]) + pdu, len(pdu) + 1 + CRC_BYTES)


def identification_request(unit: int) -> Request:
    """Function 43/14: maker, product and version, in words."""
    message = ReadDeviceInformationRequest(read_code=BASIC, object_id=0, dev_id=unit)
    pdu = bytes([message.function_code]) + message.encode()
    return Request(unit, pdu, bytes([unit]) + pdu[:MEI_BEGINS], 0)


def identification(pdu: bytes) -> Mapping[int, str]:
    """What the answer says: 0 maker, 1 product code, 2 version; empty when it cannot be read."""
    message = DecodePDU(is_server=False).decode(pdu)
    if not isinstance(message, ReadDeviceInformationResponse):
        return {}
    said = message.information
    return {key: bytes(value).decode("ascii", "replace").strip() for key, value in said.items()}
