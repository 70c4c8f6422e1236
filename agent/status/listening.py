"""The listening socket: systemd's, or one of our own; TLS wherever others than we can reach it."""

import ipaddress
import os
import socket
import ssl

from agent.errors import FieldpostError
from agent.status.settings import Settings

FIRST_FD = 3  # SD_LISTEN_FDS_START of sd_listen_fds(3)
BACKLOG = 64
PORT_MAX = 65_535


class NotServable(FieldpostError):
    """It may not, or cannot, be served like this."""


def inherited() -> socket.socket | None:
    """The socket systemd passed to this process, or None."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()) or os.environ.get("LISTEN_FDS") != "1":
        return None
    return socket.socket(fileno=FIRST_FD)


def bound(listen: str) -> socket.socket:
    """A socket on `host:port`.

    Raises:
        NotServable: that is no address, or somebody has it.
    """
    host, _, port = listen.rpartition(":")
    host = host.strip("[]")
    if not port.isdigit() or int(port) > PORT_MAX:
        message = f"'{listen}' is not an address; write it like 127.0.0.1:8080"
        raise NotServable(message)
    try:
        found = socket.getaddrinfo(
            host, int(port), type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
        )[0]
        # with its protocol number, or asyncio does not set TCP_NODELAY and each answer takes 40 ms
        listener = socket.socket(*found[:3])
    except OSError as error:
        message = f"{listen} is not an address of this machine: {error}"
        raise NotServable(message) from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(found[4])
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        message = f"{listen} cannot be used: {error.strerror}"
        action = "another program may have it; choose another port with status.listen"
        raise NotServable(message, action=action) from error
    return listener


def tls(settings: Settings, listener: socket.socket) -> ssl.SSLContext | None:
    """The TLS context; None only on loopback without a certificate.

    Raises:
        NotServable: others could reach it, and there is no certificate.
        SecretError: certificate or key are missing or lie open.
    """
    status = settings.status
    if status.certificate is None or status.private_key is None:
        if _local(listener):
            return None
        message = "there is no plain HTTP off loopback"
        action = "set status.certificate and status.private_key, or listen on 127.0.0.1"
        raise NotServable(message, action=action)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    certificate = settings.secret_file(status.certificate)
    key = settings.secret_file(status.private_key)
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        message = f"certificate {status.certificate} and key {status.private_key} do not fit"
        raise NotServable(message, action="fieldpost secret set …") from error
    return context


def _local(listener: socket.socket) -> bool:
    if listener.family == socket.AF_UNIX:
        return True
    address = str(listener.getsockname()[0])
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback
