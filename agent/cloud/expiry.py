"""When a certificate runs out, read from its DER form (RFC 5280, 4.1); no more is looked at."""

import calendar
import ssl
import time
from collections.abc import Iterator

BEGIN, END = b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----"
SEQUENCE, VERSION = 0x30, 0xA0
UTC_TIME, GENERALIZED_TIME = 0x17, 0x18
VALIDITY = 3  # fields of the certificate before it, its version left out
LONG = 0x80  # a length of more than one byte
CENTURY = 50  # of years in two digits: below it they are 20..
NANOSECONDS = 1_000_000_000


def ends_ns(pem: bytes) -> int | None:
    """End of the first certificate in a PEM text, wall time; None when there is none."""
    start = pem.find(BEGIN)
    end = pem.find(END, start)
    if start < 0 or end < 0:
        return None
    block = pem[start : end + len(END)].decode("ascii", "ignore")
    try:
        return der_ends_ns(ssl.PEM_cert_to_DER_cert(block))
    except ValueError:
        return None


def der_ends_ns(der: bytes | None) -> int | None:
    """The same of a certificate in DER form; None when it cannot be read."""
    try:
        _, certificate = next(_fields(der or b""))
        _, signed = next(_fields(certificate))
        fields = [content for tag, content in _fields(signed) if tag != VERSION]
        _, (tag, written) = _fields(fields[VALIDITY])
        return _moment_ns(tag, written.decode("ascii"))
    except (ValueError, IndexError, StopIteration):
        return None


def _fields(der: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and content of each, one after the other (X.690, 8.1)."""
    place = 0
    while place < len(der):
        tag, size = der[place], der[place + 1]
        place += 2
        if size & LONG:
            digits = size - LONG
            size = int.from_bytes(der[place : place + digits])
            place += digits
        yield tag, der[place : place + size]
        place += size


def _moment_ns(tag: int, written: str) -> int | None:
    if tag == UTC_TIME:  # RFC 5280, 4.1.2.5.1
        written = ("20" if int(written[:2]) < CENTURY else "19") + written
    elif tag != GENERALIZED_TIME:
        return None
    return calendar.timegm(time.strptime(written, "%Y%m%d%H%M%SZ")) * NANOSECONDS
