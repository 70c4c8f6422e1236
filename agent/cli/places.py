"""Where the configuration is."""

import os
from pathlib import Path

SYSTEM_CONFIG = Path("/etc/fieldpost/gateway.yaml")
OWN_CONFIG = ".config/fieldpost/gateway.yaml"


def config_file(explicit: Path | None = None) -> Path:
    """`--config` comes before `$FIELDPOST_CONFIG`, one's own file and the system's."""
    if explicit is not None:
        return explicit
    if named := os.environ.get("FIELDPOST_CONFIG"):
        return Path(named)
    own = Path.home() / OWN_CONFIG
    return (
        own if os.geteuid() != 0 and (own.exists() or not SYSTEM_CONFIG.exists()) else SYSTEM_CONFIG
    )
