"""A serial line on which something speaks ten times a second."""

import os
import pty
import threading
import tty
from collections.abc import Iterator
from contextlib import contextmanager, suppress

LINE = b"T=21.5 H=48\r\n"

FILE = """\
version: 1
site:
  name: Pty House
  id: PTY-1
connections:
  line:
    kind: serial-lines
    port: {port}
    line: 9600 8N1
devices:
  hall:
    profile: text-temperature-humidity
    via: line
status:
  listen: none
"""


@contextmanager
def speaking() -> Iterator[str]:
    """The port's name, while it speaks."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    over = threading.Event()

    def speak() -> None:
        while not over.wait(0.1):
            with suppress(OSError):
                os.write(master, LINE)

    thread = threading.Thread(target=speak)
    thread.start()
    try:
        yield os.ttyname(slave)
    finally:
        over.set()
        thread.join()
        os.close(master)
        os.close(slave)
