"""`fieldpost scan ble`: which Bluetooth sensors are in the air, and how their block is written."""

from collections.abc import Sequence

import click

from agent.cli.duration import Duration
from agent.cli.session import Session
from agent.cli.verb import verb
from agent.client import BlockingClient, socket_path
from agent.plan import Json

FOR_S = 30.0  # sensors that save their battery speak every ten seconds or so
WAITS_S = 10.0  # longer than the scan itself
LONGEST_NAME = 20
LONGEST_VALUES = 30
EXAMPLE = """\
fieldpost scan ble
fieldpost scan ble --for 1min --json"""


@verb("ble", example=EXAMPLE)
@click.option("--for", "for_s", type=Duration(), default=FOR_S, help="Listen so long (30s).")
@click.option("--all", "everybody", is_flag=True, help="Phones and others that nobody reads, too.")
def ble(session: Session, *, for_s: float, everybody: bool) -> None:
    """Bluetooth sensors by the address to write behind `mac:`."""
    session.remark(f"Listening for {for_s:g} s ...")
    client = BlockingClient(socket_path(session.socket, session.state), for_s + WAITS_S)
    found = client.call("discover", {"kind": "bluetooth", "seconds": for_s})["found"]
    known = [one for one in found if one["profile"] or one["device"]]
    shown = found if everybody else known
    if session.json:
        session.document("scan", {"sensors": shown})
        return
    for line in _lines(shown):
        session.write(line)
    if not shown:
        session.write("No sensor that we can read was heard.")
    if len(shown) < len(found):
        session.remark(f"{len(found) - len(shown)} others that nobody here reads:  --all")
    if new := next((one for one in known if not one["device"]), None):
        session.remark(_block(new))


def _lines(found: Sequence[Json]) -> list[str]:
    names = [str(one["name"])[:LONGEST_NAME] for one in found]
    says = [str(one["says"])[:LONGEST_VALUES] for one in found]
    wide, long = (max((len(text) for text in column), default=0) for column in (names, says))
    return [
        f"{one['address']}  {one['signal_dbm']:>4} dBm  {name:<{wide}}  {said:<{long}}  "
        f"{one['device'] or 'new'}"
        for one, name, said in zip(found, names, says, strict=True)
    ]


def _block(new: Json) -> str:
    """What to write for a sensor that is not configured yet."""
    return (
        "To read a new one, write below `devices:`\n"
        "  NAME:\n"
        f"    profile: {new['profile']}\n"
        f"    via: {new['connection']}\n"
        f"    mac: {new['address']}"
    )
