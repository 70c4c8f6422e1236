"""A TLS socket that remembers why TLS ended, is counted from its first byte, and closes itself."""

import ssl
from collections.abc import Callable

from agent.cloud.metering import Wire
from agent.cloud.tls import UNFINISHED


class Heard(ssl.SSLSocket):
    """What paho is given instead of `ssl.SSLSocket`.

    Attributes:
        failure: why TLS ended.
        wire: what it costs.
    """

    failure: ssl.SSLError | None = None
    wire: Wire | None = None

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        """As `ssl.SSLSocket` has it; what went wrong is remembered."""
        try:
            return super().recv(buflen, flags)
        except ssl.SSLError as error:
            if not isinstance(error, UNFINISHED):
                self.failure = error
            raise


def counted(opened: Callable[[Wire], None]) -> type[Heard]:
    """The class of sockets that tell `opened` of themselves, in whatever thread they live."""

    class Counted(Heard):
        def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001, FBT002 -- as ssl has it
            wire = self.wire = Wire(self)
            opened(wire)
            try:
                super().do_handshake(block)
            except OSError:
                wire.look()
                self.close()  # paho does not
                raise

    return Counted
