"""`python -m agent.prepare`: a configuration in, a plan out; problems on standard error."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from agent.errors import FieldpostError
from agent.plan import to_json
from agent.prepare.compile import prepare
from agent.prepare.report import FORMATS

NO_PLAN: Final = 78  # EX_CONFIG
TRY_LATER: Final = 75  # EX_TEMPFAIL: the plan is fine, the store is not


def main(arguments: Sequence[str] | None = None) -> int:
    """Compile one file.

    Returns:
        0 with a plan on standard output; 78 without one; 75 when the store could not be made.
    """
    wanted = _parser().parse_args(arguments)
    outcome = prepare(wanted.config, offline=wanted.offline, learned=wanted.learned)
    sys.stderr.write(FORMATS[wanted.format](outcome.problems))
    if outcome.plan is None:
        return NO_PLAN
    try:
        _migrated(wanted.store)
    except FieldpostError as error:
        sys.stderr.write(f"{wanted.store}: error: {error.message}\n")
        return TRY_LATER
    json.dump(to_json(outcome.plan), sys.stdout, ensure_ascii=False)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="fieldpost prepare", description=__doc__)
    default = os.environ.get("FIELDPOST_CONFIG", "/etc/fieldpost/gateway.yaml")
    parser.add_argument("--config", type=Path, default=Path(default), metavar="FILE")
    parser.add_argument("--format", choices=sorted(FORMATS), default="human")
    parser.add_argument("--offline", action="store_true", help="leave secrets and ports unchecked")
    parser.add_argument("--learned", type=Path, metavar="FILE", help="what the daemon has learned")
    parser.add_argument("--store", type=Path, metavar="DIR", help="make or migrate the store too")
    return parser


def _migrated(folder: Path | None) -> None:
    if folder is not None:
        from agent.prepare.store import migrate  # noqa: PLC0415 - 70 ms of imports, once an update

        migrate(folder)


if __name__ == "__main__":
    sys.exit(main())
