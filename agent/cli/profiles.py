"""`fieldpost profiles`: the devices we know."""

import click

from agent.cli import known
from agent.cli.profile_test import test
from agent.cli.session import Session
from agent.cli.table import Column, table
from agent.cli.verb import verb
from agent.prepare.profiles import Listed, catalogue

COLUMNS = (Column("PROFILE", most=40), Column("DEVICE", gives_way=True))


@verb("profiles", example="fieldpost profiles\nfieldpost profiles eastron")
@click.argument("word", required=False)
def profiles(session: Session, *, word: str | None) -> None:
    """Every meter and sensor we know, or those with a word in name or title."""
    known = catalogue(session.config_path.parent)
    wanted = (word or "").casefold()
    found = [one for one in known if wanted in f"{one.name} {one.title} {one.kind}".casefold()]
    if session.json:
        session.document("profiles", {"profiles": [_document(one) for one in found]})
    elif found:
        session.write(table(COLUMNS, [_row(one) for one in found]))
    else:
        session.write(f"No profile has '{word}' in it: fieldpost profiles lists them all.")


@click.group("profile")
def profile() -> None:
    """One device profile."""


@verb("show", example="fieldpost profile show eastron-sdm120")
@click.argument("name")
def show(session: Session, *, name: str) -> None:
    """Where a profile lies, and what is in it."""
    read = known.read_profile(name, session.config_path.parent)
    path = read.documents[0].source.path
    if session.json:
        kind, settings = read.kind, read.tree
        session.document("profile", {"name": name, "path": str(path), "kind": kind,
                                     "settings": settings})  # fmt: skip
        return
    session.remark(f"# {path}")
    session.write(path.read_text(encoding="utf-8").rstrip())


profile.add_command(show)
profile.add_command(test)


def _row(one: Listed) -> list[str]:
    return [one.name, f"{one.title} (of this gateway)" if one.own else one.title]


def _document(one: Listed) -> dict[str, object]:
    return {"name": one.name, "title": one.title, "kind": one.kind, "own": one.own,
            "path": str(one.path)}  # fmt: skip
