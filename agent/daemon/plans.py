"""Which plan to run: the saved one while it still holds, else a new one from the compiler.

A bad file never stops collection: the last good plan runs, and the first message of `prepare` is
shown until the file is mended (`config-and-cli`, section 11).
"""

import asyncio
import errno
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import orjson

import agent
from agent import logging
from agent.clock import Clock
from agent.daemon.durable import replace
from agent.daemon.programs import program
from agent.driver.learned import FILE
from agent.errors import FieldpostError
from agent.plan import FORMAT, Plan, from_json, overrides_digest, to_json

log = logging.get("plans")

PREPARE_S = 30.0  # a compiler that takes longer hangs
EXHAUSTED = (errno.EMFILE, errno.ENFILE)
TRACE = "Traceback (most recent call last)"
PREPARED_MAX = 32 * 1024 * 1024  # bytes of plan we are ready to read


class NoPlanError(FieldpostError):
    """There is neither a usable configuration nor a last good plan; `report` has the full list."""

    def __init__(self, report: str) -> None:
        first = report.splitlines()[0] if report else "prepare gave no plan and no reason"
        super().__init__(first)
        self.report = report


@dataclass(frozen=True, slots=True)
class Applied:
    """The plan that runs.

    Attributes:
        version: counts applied configurations of this gateway, from 1.
        applied_at_ns: wall time of that.
        rejected: first message of a newer file that was refused, or None.
    """

    version: int
    applied_at_ns: int
    plan: Plan
    rejected: str | None = None


class Plans:
    """The saved plan of one state directory, and the compiler behind it.

    Args:
        config: the technician's file.
        state: the state directory; plans live in `config/` below it.
    """

    def __init__(self, config: Path, state: Path, clock: Clock) -> None:
        self.config = config
        self._folder = state / "config"
        self._learned = state / FILE
        self._clock = clock

    async def obtain(self) -> Applied:
        """The plan to run, compiled only when the saved one no longer holds.

        Raises:
            NoPlanError: nothing to run.
        """
        saved = self._load()
        if saved and holds(saved.plan):
            return saved
        plan, report = await self._compile()
        if plan is None:
            return self._fall_back(saved, report)
        if saved and plan == saved.plan:
            return saved
        return self._save(plan, saved)

    def edited(self, plan: Plan) -> bool:
        """Whether a file this plan was made from has changed since."""
        try:
            return not holds(plan)
        except OSError:
            return False  # it cannot be told now

    def _fall_back(self, saved: Applied | None, report: str) -> Applied:
        if saved is None:
            raise NoPlanError(report)
        first = report.splitlines()[0] if report else "prepare did not answer"
        log.error(
            "The configuration was refused; the last good one runs.",
            event_type="config.rejected",
            reason=first,
            version=saved.version,
        )
        return Applied(saved.version, saved.applied_at_ns, saved.plan, rejected=first)

    async def _compile(self) -> tuple[Plan | None, str]:
        child = await asyncio.create_subprocess_exec(
            *program(
                "agent.prepare", "--config", str(self.config), "--learned", str(self._learned)
            ),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(PREPARE_S):
                out, err = await child.communicate()
        except TimeoutError:
            return None, f"prepare did not end within {PREPARE_S:.0f} s"
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()
        if child.returncode != 0 or len(out) > PREPARED_MAX:
            return None, reason_of(err.decode(errors="replace").strip(), child.returncode or 0)
        return _parsed(out), err.decode(errors="replace").strip()

    def _load(self) -> Applied | None:
        try:
            saved = orjson.loads((self._folder / "plan.json").read_bytes())
            if saved["plan"]["format"] != FORMAT:
                return None
            return from_json(Applied, saved)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning(
                "The saved plan cannot be read; the file is compiled again.",
                event_type="plan.unreadable",
                error=str(error),
            )
            return None

    def _save(self, plan: Plan, before: Applied | None) -> Applied:
        version = before.version + 1 if before else 1
        applied = Applied(version, self._clock.now().wall_ns, plan)
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        replace(self._folder / "plan.json", orjson.dumps(to_json(applied)))
        log.info(
            f"Configuration {version} is applied.", event_type="config.applied", version=version
        )
        return applied


def reason_of(report: str, code: int) -> str:
    """Why there is no plan, the sentence first, also where `prepare` came to a bad end."""
    if code < 0:
        return f"prepare was ended by signal {-code}; is there enough memory?\n{report}".strip()
    if TRACE not in report:
        return report
    last = report.splitlines()[-1]
    return f"prepare broke down on this file, a bug: fieldpost bugreport ({last})\n{report}"


def _parsed(out: bytes) -> Plan | None:
    try:
        return from_json(Plan, orjson.loads(out))
    except json.JSONDecodeError:
        return None


def holds(plan: Plan) -> bool:
    """Whether this program would compile the same plan from the same files and environment."""
    origin = plan.origin
    return (
        origin.program == agent.__version__
        and origin.environment == overrides_digest()
        and all(digest(Path(path)) == known for path, known in origin.files.items())
    )


def digest(path: Path) -> str:
    """SHA-256 (hex) of a file; empty when there is none.

    Raises:
        OSError: there is no descriptor left to read it with.
    """
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        if error.errno in EXHAUSTED:
            raise  # what it holds is not known
        return ""
