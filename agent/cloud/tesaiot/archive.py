"""The files of a bundle, from a zip that may be hostile or from a directory."""

import io
import stat
import zipfile
from collections.abc import Mapping
from pathlib import PurePosixPath

from agent.cloud.tesaiot.findings import Finding
from agent.secret import Secret

# a bundle has some ten members of some kilobytes (`tesaiot`, 8.3)
ENTRIES_MAX = 64
BYTES_MAX = 1_000_000

Files = Mapping[str, bytes]


class UnsafeArchive(Exception):
    """The zip is not one the platform made; nothing was read from it."""

    finding = Finding("bundle.unsafe_archive")


def files_of(secret: Secret) -> Files:
    """The files of a bundle that is stored as a secret: a zip, or a directory.

    Raises:
        UnsafeArchive: it is not a zip, or a hostile one.
    """
    return secret.files() or unpack(secret.content())


def unpack(content: bytes) -> Files:
    """The members of a zip, in memory, by relative path.

    Raises:
        UnsafeArchive: it is broken, names places outside, holds links, or is too big.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            if len(members) > ENTRIES_MAX or not all(_safe(member) for member in members):
                raise UnsafeArchive
            return _read(archive, members)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise UnsafeArchive from error


def _safe(member: zipfile.ZipInfo) -> bool:
    path = PurePosixPath(member.filename.replace("\\", "/"))
    kind = stat.S_IFMT(member.external_attr >> 16)  # of the Unix mode; 0 = made elsewhere
    outside = path.is_absolute() or ".." in path.parts or ":" in member.filename
    return not outside and kind in (0, stat.S_IFREG)


def _read(archive: zipfile.ZipFile, members: list[zipfile.ZipInfo]) -> Files:
    """What is really in there, not what the directory claims."""
    files, left = {}, BYTES_MAX
    for member in members:
        with archive.open(member) as stream:
            files[member.filename] = stream.read(left + 1)
        left -= len(files[member.filename])
        if left < 0:
            raise UnsafeArchive
    return files
