"""How the daemon starts its own programs: from what is installed, and from nowhere else."""

import sys

# -I: neither the working directory nor PYTHONPATH nor a user's packages; it also makes Python deaf
# to PYTHONDONTWRITEBYTECODE, so what the daemon was told about bytecode is passed on
ISOLATED = ("-I", "-B") if sys.dont_write_bytecode else ("-I",)


def program(module: str, *arguments: str) -> list[str]:
    """The command line of one of our modules, run as a child.

    Args:
        module: its dotted name.
        arguments: for the module.
    """
    return [sys.executable, *ISOLATED, "-m", module, *arguments]
