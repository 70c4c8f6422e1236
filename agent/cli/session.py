"""What every command is given: where the daemon is, and how to print."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import click
import orjson

from agent.client import BlockingClient, socket_path
from agent.client.places import PLAIN, command, config_file
from agent.plan import Json


@dataclass(frozen=True, slots=True)
class Session:
    """The options every command shares."""

    config: Path | None = None
    state: Path | None = None
    socket: Path | None = None
    json: bool = False
    no_color: bool = False
    quiet: bool = False
    verbose: bool = False

    @property
    def client(self) -> BlockingClient:
        """The daemon's socket."""
        return BlockingClient(socket_path(self.socket, self.state))

    @property
    def config_path(self) -> Path:
        """The configuration this command is about."""
        return config_file(self.config)

    @property
    def command(self) -> str:
        """What to type before a verb that is to mean the same configuration."""
        return command(self.config) if self.config else PLAIN

    @property
    def plain(self) -> bool:
        """Whether colours stay away."""
        return self.no_color or bool(os.environ.get("NO_COLOR"))

    @property
    def live(self) -> bool:
        """Whether the screen may be written over: a terminal, and nobody asked for plain text."""
        return sys.stdout.isatty() and not self.plain

    def write(self, text: str) -> None:
        """Print for people; colours only where they can be seen."""
        click.echo(text, color=False if self.plain else None)

    def remark(self, text: str) -> None:
        """Say something that is not the answer, unless asked to be quiet."""
        if not self.quiet:
            click.echo(text, err=True)

    def document(self, name: str, content: Json, *, line: bool = False) -> None:
        """Print for programs: one object with its schema, or one of many lines."""
        shape = 0 if line else orjson.OPT_INDENT_2
        text = orjson.dumps({"schema": f"fieldpost.{name}/1", **content}, option=shape)
        click.echo(text.decode())
