"""The command line: which verb is in which module."""

from collections.abc import Mapping, Sequence
from importlib import import_module

import click

from agent.cli import verb
from agent.cli.failure import INTERRUPTED, Failure, stop_quietly

# In the order of the work. Each is loaded when it is asked for: `status` needs no compiler.
VERBS: Mapping[str, str] = {
    "init": "agent.cli.init:init",
    "check": "agent.cli.check:check",
    "run": "agent.cli.service:run",
    "status": "agent.cli.status:status",
    "doctor": "agent.cli.doctor:doctor",
    "log": "agent.cli.log:log",
    "queue": "agent.cli.queue:queue",
    "read": "agent.cli.read:read",
    "profiles": "agent.cli.profiles:profiles",
    "profile": "agent.cli.profiles:profile",
    "secret": "agent.cli.secrets:secret",
    "token": "agent.cli.token:token",
    "demo": "agent.cli.demo:demo",
    "prepare": "agent.cli.check:prepare",
    "version": "agent.cli.version:version",
}


class Verbs(click.Group):
    """Finds a verb in its module."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All of them, in the order of the work."""
        del ctx
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The one of that name, loaded now."""
        del ctx
        if cmd_name not in VERBS:
            return None
        module, _, name = VERBS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Propose the nearest verb for one that does not exist."""
        if args[0] not in VERBS and not args[0].startswith("-"):
            raise click.exceptions.NoSuchCommand(args[0], possibilities=VERBS, ctx=ctx)
        return super().resolve_command(ctx, args)


@click.command("fieldpost", cls=Verbs, params=verb.shared_options(hidden=False))
@click.pass_context
def app(ctx: click.Context, /, **_shared: object) -> None:
    """Field devices in, every sample kept, the cloud gets all of it."""
    ctx.obj = verb.session(ctx)


def command_line(arguments: Sequence[str]) -> int:
    """Run one verb; returns its exit code (`config-and-cli`, 8.3)."""
    code = 0
    try:
        result = app.main(list(arguments), prog_name="fieldpost", standalone_mode=False)
        code = result if isinstance(result, int) else 0
    except Failure as failure:
        failure.show()
        code = failure.code
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        code = INTERRUPTED
    except BrokenPipeError:
        code = stop_quietly()
    return code
