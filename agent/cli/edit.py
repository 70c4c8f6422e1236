"""`fieldpost set` and `migrate`: edits that leave comments, order and quotes alone."""

import click

from agent.cli import files
from agent.cli.session import Session
from agent.cli.verb import verb
from agent.errors import ValidationError
from agent.prepare import edits

APPLY = "Not applied yet; that happens at the next start: sudo systemctl restart fieldpost"


@verb("set", example="fieldpost set devices.oven-meter.every 5s", reads=False)
@click.argument("path")
@click.argument("value")
def set_(session: Session, *, path: str, value: str) -> None:
    """Change one setting in the file, if the gateway would start with it."""
    keys = tuple(path.split("."))
    if not all(keys):
        message = f"'{path}' is not a setting: write it like devices.oven-meter.every"
        raise ValidationError(field="path", reason="malformed", message=message)
    file = session.config_path
    before = files.read(file)
    after = edits.set_value(before, keys, value)
    if after == before:
        session.remark(f"{path} is {value} already.")
        return
    files.replace_checked(file, after)
    session.remark(f"{file}: {path} is now {value}.\n{APPLY}")


@verb("migrate", example="fieldpost migrate --config gateway.yaml", reads=False)
def migrate(session: Session) -> None:
    """Give settings under old names their new ones; the old file is kept beside it."""
    file = session.config_path
    before = files.read(file)
    after = edits.migrate(before)
    if after == before:
        session.remark(f"{file}: nothing to rename.")
        return
    kept = file.with_name(f"{file.name}.old")
    kept.write_bytes(before.encode())
    kept.chmod(file.stat().st_mode & 0o777)
    files.replace(file, after)
    session.remark(f"{file}: settings renamed; as it was before: {kept}")
