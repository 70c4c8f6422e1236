"""How a function becomes a verb: shared options, an example in its help, errors as sentences."""

from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import click

from agent.cli.failure import Failure, from_system, stop_quietly
from agent.cli.session import Session
from agent.errors import FieldpostError


class Verb(click.Command):
    """A command whose first argument is a `Session`."""

    def __init__(self, *args: Any, example: str, reads: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.example = example
        self.params += [*([_json()] if reads else []), *shared_options(hidden=True)]

    def invoke(self, ctx: click.Context) -> Any:
        """Run with the options of the group and its own taken together."""
        ctx.obj = session(ctx)
        try:
            return super().invoke(ctx)
        except FieldpostError as error:
            raise Failure(error, json=ctx.obj.json, command=ctx.obj.command) from error
        except BrokenPipeError:
            return stop_quietly()  # before click makes an error of it
        except OSError as error:
            raise Failure(from_system(error), json=ctx.obj.json) from error

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Show the example behind the options."""
        del ctx
        with formatter.section("Example"):
            for line in self.example.splitlines():
                formatter.write(f"  {line}\n")


def verb(name: str, *, example: str, reads: bool = True) -> Callable[[Callable[..., Any]], Verb]:
    """Make a function a command.

    Args:
        name: of the command.
        example: shown in its help, one or more lines.
        reads: it has something to print, so it takes `--json`.
    """

    def make(function: Callable[..., Any]) -> Verb:
        command = click.command(name, cls=Verb, example=example, reads=reads)
        return command(click.pass_obj(function))

    return make


def session(ctx: click.Context) -> Session:
    """The shared options as given so far, taken out of the parameters."""
    names = [field.name for field in fields(Session)]
    given = {name: value for name in names if (value := ctx.params.pop(name, None))}
    return replace(ctx.obj or Session(), **given)


def shared_options(*, hidden: bool) -> list[click.Parameter]:
    """The options that may stand in front of every verb or behind it."""
    places = {"--config": "The configuration.", "--state": "Where the daemon keeps its things.",
              "--socket": "Where the daemon listens."}  # fmt: skip
    switches = {"--no-color": "Plain text.", "-q/--quiet": "Only the answer.",
                "-v/--verbose": "More of it."}  # fmt: skip
    path = click.Path(path_type=Path)
    return [
        *(
            click.Option([name], type=path, hidden=hidden, help=text)
            for name, text in places.items()
        ),
        *(
            click.Option(name.split("/"), is_flag=True, hidden=hidden, help=text)
            for name, text in switches.items()
        ),
    ]


def _json() -> click.Option:
    return click.Option(["--json"], is_flag=True, help="For programs: JSON with a schema.")
