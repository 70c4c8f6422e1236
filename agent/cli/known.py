"""Profiles of one family as their models, for what compares devices with all of them."""

from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError as Invalid

from agent.errors import FieldpostError, NotFoundError
from agent.prepare.kinds import ConnectionKind, ProfileSettings
from agent.prepare.profiles import Profile, Shelf
from agent.prepare.source import BrokenFileError

SIGN = "identify"  # only profiles with it can be recognised


def recognisable(kind: ConnectionKind, folder: Path) -> Iterator[ProfileSettings]:
    """Those that say how their model is recognised; one that cannot be read is passed over.

    Args:
        kind: of connection on which they fit.
        folder: of the configuration.
    """
    shelf = Shelf(folder)
    for name in shelf.names():
        try:
            read = shelf.load(name)
            if read and read.kind == kind.family and SIGN in read.tree:
                yield kind.profile.model_validate(read.tree)
        except (BrokenFileError, Invalid):
            continue


def read_profile(name: str, folder: Path) -> Profile:
    """One profile as it is written.

    Raises:
        NotFoundError: we have none of that name.
        FieldpostError: it cannot be read.
    """
    shelf = Shelf(folder)
    try:
        read = shelf.load(name)
    except BrokenFileError as error:
        raise FieldpostError(error.located.problem.message) from error
    if read is None:
        near = shelf.nearest(name)
        message = f"We have no profile '{name}'."
        raise NotFoundError(
            message, action=f"Did you mean {near}?" if near else "See them: fieldpost profiles"
        )
    if read.problems:
        message = f"{name}: {read.problems[0].message}"
        raise FieldpostError(message, action=read.problems[0].fix)
    return read


def modelled(read: Profile, kind: ConnectionKind) -> ProfileSettings:
    """A profile as its family's model reads it.

    Raises:
        FieldpostError: something in it is wrong.
    """
    try:
        return kind.profile.model_validate(read.tree)
    except Invalid as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        message = f"{read.name}: {place}: {first['msg']}"
        raise FieldpostError(
            message, action=f"It lies in {read.documents[0].source.path}"
        ) from error
