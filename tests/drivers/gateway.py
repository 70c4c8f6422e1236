"""Small gateway files, compiled as a technician's would be."""

from pathlib import Path

from agent.plan import Connection, Plan
from agent.prepare.compile import prepare

FRAME = """\
version: 1
site: {{name: Lab}}
connections:
{connection}
devices:
{devices}
cloud:
  archive: {{kind: http, url: https://ingest.example.com/v1}}
"""


def said(folder: Path, connection: str, devices: str) -> list[tuple[str, str]]:
    """What is wrong with it: sentence and fix."""
    (folder / "gateway.yaml").write_text(FRAME.format(connection=connection, devices=devices))
    outcome = prepare(folder / "gateway.yaml", offline=True, environment={})
    return [(one.problem.message, one.problem.fix or "") for one in outcome.problems]


def plan(folder: Path, connection: str, devices: str) -> Plan:
    """Its plan; there is nothing wrong with it."""
    assert said(folder, connection, devices) == []
    found = prepare(folder / "gateway.yaml", offline=True, environment={}).plan
    assert found is not None
    return found


def only_connection(found: Plan) -> Connection:
    (connection,) = found.connections.values()
    return connection
