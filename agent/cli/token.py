"""`fieldpost token`: who may use the status page and the API."""

from typing import TypedDict, Unpack

import click

from agent.cli import words
from agent.cli.duration import Duration
from agent.cli.session import Session
from agent.cli.table import Column, table
from agent.cli.verb import verb
from agent.client import Role
from agent.clock import SystemClock, iso
from agent.plan import Json

COLUMNS = (
    Column("NAME", least=10, most=24),
    Column("ROLE", least=8),
    Column("MADE"),
    Column("LAST USED"),
    Column("ENDS"),
)
NEVER = "never"


class Options(TypedDict):
    """What `token add` takes."""

    name: str
    role: str
    ends_in_s: float | None


@click.group("token")
def token() -> None:
    """Tokens of the status page and the API."""


@verb("add", example="sudo fieldpost token add kitchen-tablet --role viewer")
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice([role.word for role in Role]),
    required=True,
    help="viewer looks, operator sees the settings too, admin sees who has tokens.",
)
@click.option("--ends-in", "ends_in_s", type=Duration(), help="For so long; else until revoked.")
def add(session: Session, **options: Unpack[Options]) -> None:
    """Make a token; its text is shown now and never again."""
    asked: Json = {"name": options["name"], "role": options["role"]}
    if options["ends_in_s"] is not None:
        asked["expires"] = iso(SystemClock().now().wall_ns + int(options["ends_in_s"] * 1e9))
    made = session.client.call("token.add", asked)
    if session.json:
        session.document("token", made)
        return
    session.write(made["token"])
    session.remark("Shown this once and stored nowhere: put it where it belongs now.")


@verb("list", example="sudo fieldpost token list")
def list_(session: Session) -> None:
    """Which tokens there are, and when they were last used."""
    found = session.client.call("tokens")["tokens"]
    shown = [{k: v for k, v in one.items() if k != "sha256"} for one in found]
    if session.json:
        session.document("tokens", {"tokens": shown})
    elif not shown:
        session.write("There are no tokens: fieldpost token add NAME --role viewer")
    else:
        session.write(table(COLUMNS, [_row(one) for one in shown]))


@verb("revoke", example="sudo fieldpost token revoke kitchen-tablet", reads=False)
@click.argument("name")
def revoke(session: Session, *, name: str) -> None:
    """Take a token back, by its name or its id."""
    gone = session.client.call("token.revoke", {"name": name})
    session.remark(f"The token '{gone['name']}' is no longer accepted.")


for _command in (add, list_, revoke):
    token.add_command(_command)


def _row(one: Json) -> list[str]:
    times = [words.moment(one[key]) if one[key] else NEVER for key in ("last_used", "expires")]
    return [one["name"], one["role"], words.moment(one["created"]), *times]
