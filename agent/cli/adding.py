"""Blocks for what was found: shown to be pasted, or written into the file."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from agent.cli import files, known, trial
from agent.cli.edit import APPLY
from agent.cli.session import Session
from agent.cli.trial import Set, Tried
from agent.cli.wire import Wire, opened
from agent.driver import Sighting
from agent.errors import NoAnswerError, NotFoundError, ValidationError
from agent.prepare import edits
from agent.prepare.kinds import ProfileSettings
from agent.prepare.profiles import Shelf

UNNAMED = "wire"  # a connection that is in no file yet
NEW_PROFILE = "profile: {name}\ntitle: {name}\nkind: {kind}\n"


def block(there: Wire, one: Sighting) -> list[str]:
    """What to write for a device that is not configured yet."""
    name = there.connection.name
    profile = one.profiles[0] if one.profiles else "...   # fieldpost profiles"
    via = UNNAMED if there.settings else name
    lines = []
    if there.settings:
        settings = there.settings | ({"line": one.line} if one.line else {})
        lines = [f"To read address {one.address}, write below `connections:`", f"  {UNNAMED}:"]
        lines += [f"    {key}: {value}" for key, value in settings.items()]
    lines += [
        "and below `devices:`"
        if lines
        else f"To read address {one.address}, write below `devices:`",
        "  NAME:",
        f"    profile: {profile}",
        f"    via: {via}",
        f"    address: {one.address}",
    ]
    more = "" if one.sure else f" --profile {one.profiles[0] if one.profiles else '...'}"
    add = f"fieldpost scan modbus {name} --add NAME --address {one.address}{more}"
    return [*lines, f"or let it be written:  {add}"]


def sure(found: Sighting) -> str:
    """The profile that fits for certain.

    Raises:
        ValidationError: a person has to say.
    """
    if not found.sure:
        near = f", perhaps {', '.join(found.profiles)}" if found.profiles else ""
        message = f"What is at address {found.address} is not certain{near}: add --profile NAME"
        raise ValidationError(field="profile", reason="unknown", message=message)
    return found.profiles[0]


def tried(session: Session, there: Wire, name: str, what: tuple[Sighting, str]) -> None:
    """Write a device into the file, once its profile has been read there and shown.

    Args:
        session: for the file.
        there: where it is.
        name: of the device.
        what: where it answered, and its profile.

    Raises:
        NoAnswerError: nobody is there, or no point of the profile can be read.
        FieldpostError: as `device` raises it.
    """
    found, profile = what
    model = known.modelled(known.read_profile(profile, session.config_path.parent), there.kind)
    tried = asyncio.run(_read(session, there, found, model))
    for line in trial.screen(tried, raw=False):
        session.remark(line)
    if all(one.wrong for one in tried):
        message = f"What is at address {found.address} shows nothing that {profile} expects."
        action = f"It was not added. Try others:  fieldpost profile test NAME {_at(there, found)}"
        raise NoAnswerError(message, action=action)
    session.remark(trial.verdict(tried))
    device(session, there, name, (found.address, profile), found.line)


def _at(there: Wire, found: Sighting) -> str:
    return f"{found.address}@{there.connection.name}"


async def _read(
    session: Session, there: Wire, found: Sighting, profile: ProfileSettings
) -> Sequence[Tried]:
    own = there.kind.finder.lines(there.connection.spec)[0] if there.kind.finder else ""
    async with opened(session, there) as asker:
        here = Set(asker, "" if found.line == own else found.line)
        source = trial.reader(there, (trial.NAME, str(found.address)), profile, here)
        points = trial.points_of(profile)[: trial.SHOWN]
        return await trial.each(source, trial.NAME, points)


def device(session: Session, there: Wire, name: str, what: tuple[int, str], line: str = "") -> None:
    """Write a device into the file, with its connection where that is new.

    Args:
        session: for the file.
        there: where it answered.
        name: of the device.
        what: its address and its profile.
        line: how the serial line was set when it answered.

    Raises:
        FieldpostError: the name is taken, or the gateway would not start with it.
    """
    file = session.config_path
    text, via = files.read(file), there.connection.name
    if there.settings:
        via = UNNAMED
        settings = there.settings | ({"line": line} if line else {})
        text = edits.add_block(text, "connections", via, settings)
    elif line and there.kind.finder and line != there.kind.finder.lines(there.connection.spec)[0]:
        message = f"It answers at {line}, and {via} is set differently."
        action = f'First:  fieldpost set connections.{via}.line "{line}"'
        raise NotFoundError(message, action=action)
    address, profile = what
    settings = {"profile": profile, "via": via, "address": str(address)}
    files.replace_checked(file, edits.add_block(text, "devices", name, settings))
    session.remark(f"{file}: {name} is at address {address} of {via}.\n{APPLY}")


def point(session: Session, target: str, kind: str, settings: dict[str, str]) -> None:
    """Write a point into a profile of this gateway, which is made when there is none.

    Args:
        session: for the folder of the file.
        target: PROFILE.POINT.
        kind: the family the profile is of.
        settings: of the point.

    Raises:
        ValidationError: that is no name of a point, or the profile belongs to the package.
    """
    profile, _, name = target.partition(".")
    path = session.config_path.absolute().parent / "profiles" / f"{profile}.yaml"
    if not profile or not name:
        message = f"'{target}' is no name of a point: write PROFILE.POINT"
        raise ValidationError(field="add", reason="malformed", message=message)
    if not path.exists() and Shelf(session.config_path.parent).find(profile):
        message = f"{profile} is one of ours: take another name, and  extends: {profile}"
        raise ValidationError(field="add", reason="not yours", message=message)
    before = files.read(path) if path.exists() else NEW_PROFILE.format(name=profile, kind=kind)
    after = edits.add_block(before, "points", name, settings)
    _write(path, after)
    session.remark(f"{path}: {name} added.")


def shown(name: str, settings: dict[str, str]) -> str:
    """A point as it is written in a profile."""
    return f"{name}: {{{', '.join(f'{key}: {value}' for key, value in settings.items())}}}"


def _write(path: Path, text: str) -> None:
    if path.exists():
        files.replace(path, text)
        return
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(text.encode())
