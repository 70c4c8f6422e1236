"""The command line: which verb is in which module."""

from collections.abc import Mapping, Sequence
from importlib import import_module

import click

from agent.cli import verb
from agent.cli.failure import INTERRUPTED, Failure

# In the order of the work: where each is, and its line of the help. A verb is loaded when it is
# asked for: `status` needs no compiler, and the list of verbs needs none of them.
VERBS: Mapping[str, tuple[str, str]] = {
    "init": ("agent.cli.init:init", "write a commented starter file"),
    "set": ("agent.cli.edit:set_", "change one setting in the file"),
    "migrate": ("agent.cli.edit:migrate", "rename settings that have new names"),
    "check": ("agent.cli.check:check", "check a configuration; nothing is applied"),
    "scan": ("agent.cli.scan:scan", "what is plugged in, on the line, in the air"),
    "run": ("agent.cli.service:run", "the daemon; what the systemd unit starts"),
    "status": ("agent.cli.status:status", "one screen: devices, clouds, the gateway itself"),
    "doctor": ("agent.cli.doctor:doctor", "every check, and what to do about each finding"),
    "log": ("agent.cli.log:log", "what happened, one sentence each"),
    "queue": ("agent.cli.queue:queue", "what waits for each cloud"),
    "netcheck": ("agent.cli.netcheck:netcheck", "facts about the way to each cloud"),
    "read": ("agent.cli.read:read", "values of a device or a point, now"),
    "write": ("agent.cli.write:write", "change a point that its profile allows"),
    "monitor": ("agent.cli.monitor:monitor", "what is said on a connection, as it happens"),
    "probe": ("agent.cli.probe:probe", "how a register has to be read, from what it should say"),
    "profiles": ("agent.cli.profiles:profiles", "every meter and sensor we know"),
    "profile": ("agent.cli.profiles:profile", "one device profile"),
    "secret": ("agent.cli.secrets:secret", "passwords and keys of the configuration"),
    "enroll": ("agent.cli.enroll:enroll", "store a credential bundle of the platform"),
    "token": ("agent.cli.token:token", "who may use the status page and the API"),
    "bugreport": ("agent.cli.bugreport:bugreport", "one file for support, without secrets"),
    "demo": ("agent.cli.demo:demo", "everything without hardware"),
    "prepare": ("agent.cli.check:prepare", "compile a configuration to a plan"),
    "version": ("agent.cli.version:version", "which fieldpost this is"),
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
        module, _, name = VERBS[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List them without loading them."""
        del ctx
        with formatter.section("Verbs"):
            formatter.write_dl([(name, text) for name, (_, text) in VERBS.items()])
        formatter.write("\nMore about one of them:  fieldpost VERB --help\n")

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
    return code
