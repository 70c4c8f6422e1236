"""TLS for Modbus/TCP Security: the device is always verified, and we show it who we are.

Source: Modbus/TCP Security V36 (port 802, TLS 1.2 or newer, mutual authentication).
"""

import os
import ssl
from collections.abc import Mapping

from agent.driver import ConnectionState, DriverError
from agent.secret import Secret
from drivers.modbus.plan import Host


def tls_context(place: Host, secrets: Mapping[str, Secret]) -> ssl.SSLContext:
    """The settings of one connection.

    Raises:
        DriverError: a secret is missing, or is no certificate or key.
    """
    try:
        return _context(place, secrets)
    except KeyError as error:
        message = f"there is no secret called {error}"
        action = f"fieldpost secret set {error}".replace("'", "")
        raise DriverError(ConnectionState.GONE, message, action=action) from error
    except (OSError, ValueError) as error:  # SSLError is an OSError
        message = f"the certificates for {place.host} cannot be used: {error}"
        action = "Check `ca:`, `certificate:` and `private_key:`; all are PEM."
        raise DriverError(ConnectionState.GONE, message, action=action) from error


def _context(place: Host, secrets: Mapping[str, Secret]) -> ssl.SSLContext:
    authority = place.authority
    if authority is None or authority.startswith("/"):
        context = ssl.create_default_context(cafile=authority)
    else:
        context = ssl.create_default_context(cadata=secrets[authority].reveal())
    if place.certificate and place.private_key:
        pair = [secrets[name].content() for name in (place.certificate, place.private_key)]
        _show(context, b"\n".join(pair))
    return context


def _show(context: ssl.SSLContext, pair: bytes) -> None:
    """OpenSSL reads certificate and key from a file only; this one never touches a disk."""
    memory = os.memfd_create("pair", os.MFD_CLOEXEC)
    try:
        os.write(memory, pair)
        os.lseek(memory, 0, os.SEEK_SET)
        context.load_cert_chain(f"/proc/self/fd/{memory}", password="")
    finally:
        os.close(memory)
