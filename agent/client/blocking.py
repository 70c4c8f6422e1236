"""The daemon's socket for the command line: no loop, one question after the other."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import cast

from agent.client import lines
from agent.client.paths import reachable
from agent.plan import Json


class BlockingClient:
    """Asks the daemon and waits.

    Args:
        path: from `socket_path`.
        within_s: how long one answer may take, seconds.
    """

    def __init__(self, path: Path, within_s: float = lines.ANSWER_WITHIN_S) -> None:
        self._path = path
        self._within_s = within_s

    def call(self, verb: str, args: Json | None = None) -> Json:
        """The answer to one verb.

        Raises:
            UnavailableError: nobody listens, or nobody answers in time.
            FieldpostError: what the daemon refused, as its own kind.
        """
        with self._asked(verb, args, self._within_s) as reader:
            return cast("Json", lines.answer(reader.readline(lines.ANSWER_BYTES_MAX))["data"])

    def stream(self, verb: str, args: Json | None = None) -> Iterator[Json]:
        """Each item of a streaming verb, until it ends; closing the iterator ends it too.

        Raises:
            FieldpostError: as `call`; a daemon that goes away is an UnavailableError.
        """
        with self._asked(verb, args, None) as reader:
            while not (read := lines.answer(reader.readline(lines.ANSWER_BYTES_MAX))).get("end"):
                yield read["data"]

    @contextmanager
    def _asked(
        self, verb: str, args: Json | None, within_s: float | None
    ) -> Iterator[BufferedReader]:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as wire:
            wire.settimeout(self._within_s)
            try:
                with reachable(self._path) as address:
                    wire.connect(address)
            except OSError as error:
                raise lines.unreachable(self._path, error) from error
            try:
                wire.sendall(lines.request(verb, args))
                wire.settimeout(within_s)
                with wire.makefile("rb") as reader:
                    yield reader
            except OSError as error:  # time is up, or the daemon went away
                raise lines.silent() from error
