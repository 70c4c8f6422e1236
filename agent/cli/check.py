"""`fieldpost check` and `prepare`: what is wrong with a configuration, and what becomes of it."""

from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict, Unpack

import click
import orjson

from agent.cli import files
from agent.cli.failure import BAD_CONFIGURATION, FOUND
from agent.cli.session import Session
from agent.cli.verb import verb
from agent.client import state_dir
from agent.driver.learned import FILE as LEARNED
from agent.errors import FieldpostError
from agent.plan import Plan, to_json
from agent.prepare import edits, report
from agent.prepare.compile import Outcome
from agent.prepare.compile import prepare as compile_file
from agent.prepare.kinds import Severity
from agent.prepare.source import Located

FILE = click.argument("file", type=click.Path(path_type=Path), required=False)


class Options(TypedDict):
    """What `check` takes."""

    file: Path | None
    format: str
    strict: bool
    offline: bool
    fix_tabs: bool


@verb("check", example="fieldpost check\nfieldpost check gateway.yaml --strict --format github")
@FILE
@click.option("--format", type=click.Choice(list(report.FORMATS)), default="human",
              help="For people, for programs (an object a line), or as annotations.")  # fmt: skip
@click.option("--strict", is_flag=True, help="Warnings fail, too.")
@click.option("--offline", is_flag=True, help="Leave secrets and ports of this machine unchecked.")
@click.option("--fix-tabs", is_flag=True, help="Replace Tabs in the indentation first.")
def check(session: Session, **options: Unpack[Options]) -> int:
    """Check a configuration; nothing is applied."""
    path = options["file"] or session.config_path
    if options["fix_tabs"]:
        _fix_tabs(session, path)
    outcome = _compiled(session, path, offline=options["offline"])
    if session.json:
        session.document("check", _document(path, outcome))
    elif options["format"] == "human":
        _tell(session, path, outcome)
    else:
        click.echo(report.FORMATS[options["format"]](outcome.problems), nl=False)
    return _code(outcome.problems, strict=options["strict"])


@verb("prepare", example="fieldpost prepare gateway.yaml > plan.json", reads=False)
@FILE
@click.option("--offline", is_flag=True, help="Leave secrets and ports of this machine unchecked.")
def prepare(session: Session, *, file: Path | None, offline: bool) -> int:
    """Compile a configuration to the plan that the daemon runs: JSON on standard output."""
    outcome = _compiled(session, file or session.config_path, offline=offline)
    click.echo(report.human(outcome.problems), nl=False, err=True)
    if outcome.plan is None:
        return BAD_CONFIGURATION
    click.echo(orjson.dumps(to_json(outcome.plan), option=orjson.OPT_INDENT_2))
    return 0


def _compiled(session: Session, path: Path, *, offline: bool) -> Outcome:
    """As the daemon would: with what was learned of the devices, unless it is about any machine."""
    learned = None if offline else state_dir(session.state) / LEARNED
    return compile_file(path, offline=offline, learned=learned)


def _tell(session: Session, path: Path, outcome: Outcome) -> None:
    if outcome.problems:
        session.write(report.human(outcome.problems))
    if outcome.plan is not None and not report.count(outcome.problems, Severity.ERROR):
        session.write(report.verdict(str(path), outcome.plan))
        for fact in outcome.facts:
            session.write(f"  {fact}")
    if report.count(outcome.problems, Severity.ERROR) or report.count(
        outcome.problems, Severity.WARNING
    ):
        session.write(report.footer(outcome.problems, running=_runs(session)))


def _document(path: Path, outcome: Outcome) -> dict[str, object]:
    problems = [orjson.loads(line) for line in report.as_json(outcome.problems).splitlines()]
    return {"file": str(path), "usable": outcome.plan is not None,
            "counts": _counts(outcome.plan), "facts": list(outcome.facts),
            "problems": problems}  # fmt: skip


def _counts(plan: Plan | None) -> dict[str, int] | None:
    if plan is None:
        return None
    return {"connections": len(plan.connections), "devices": len(plan.devices),
            "destinations": len(plan.destinations)}  # fmt: skip


def _code(problems: Sequence[Located], *, strict: bool) -> int:
    errors = report.count(problems, Severity.ERROR)
    return FOUND if errors or (strict and report.count(problems, Severity.WARNING)) else 0


def _runs(session: Session) -> bool:
    try:
        session.client.call("ping")
    except FieldpostError:
        return False
    return True


def _fix_tabs(session: Session, path: Path) -> None:
    before = files.read(path)
    after = edits.fix_tabs(before)
    if after == before:
        session.remark("No Tab to replace.")
        return
    files.replace(path, after)
    session.remark(f"{path}: Tabs replaced by spaces.")
