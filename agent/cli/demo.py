"""`fieldpost demo`: everything without hardware."""

from pathlib import Path
from typing import TypedDict, Unpack

import click

from agent.cli.duration import Duration
from agent.cli.session import Session
from agent.cli.verb import verb
from agent.demo import app
from agent.demo.recorded import PACKAGED


class Given(TypedDict):
    """What `demo` takes."""

    for_s: float | None
    offline_s: float
    kill: bool
    seed: int
    replay: Path | None


@verb("demo", example="fieldpost demo\nfieldpost demo --for 1min --offline 20s --kill --json")
@click.option("--for", "for_s", type=Duration(), help="For so long; else until Ctrl-C.")
@click.option("--offline", "offline_s", type=Duration(), default=0.0,
              help="The cloud is away for so long in the middle.")  # fmt: skip
@click.option("--kill", is_flag=True, help="Kill the daemon in the middle and start it again.")
@click.option("--seed", type=int, default=1, help="Another weather, other loads.")
@click.option("--replay", type=click.Path(path_type=Path), is_flag=False, flag_value=PACKAGED,
              help="Read a line that monitor recorded, too; without FILE: ours.")  # fmt: skip
def demo(session: Session, **given: Unpack[Given]) -> int:
    """Simulated instruments, the real daemon and a sandbox cloud, and a reckoning at the end."""
    return app.main(app.Options(**given, json=session.json))
