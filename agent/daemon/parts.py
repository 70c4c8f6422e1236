"""Drivers and destinations by the names in the plan, each with its own secrets and no others."""

import importlib
from pathlib import Path
from typing import Any

from agent import cloud, driver, logging, plan, secret

log = logging.get("parts")


def driver_of(connection: plan.Connection, config_dir: Path) -> driver.Driver:
    """The driver of one connection, without I/O beyond reading its devices' secrets.

    A missing secret is a device's fault, not a reason to leave the others unread.
    """
    opens: driver.Opens = _named(connection.opens)
    secrets = {}
    for name in connection.secrets:
        try:
            secrets[name] = secret.read(name, config_dir)
        except secret.SecretError as error:
            log.warning(
                f"{connection.name}: {error.message}.",
                event_type="secret.missing",
                connection=connection.name,
                secret=name,
                action=error.action,
            )
    return opens(connection.spec, secrets)


def cloud_of(destination: plan.Destination, gateway: str, config_dir: Path) -> cloud.Cloud:
    """One destination.

    Raises:
        FieldpostError: a secret of it is missing or unusable.
    """
    opens: cloud.Opens = _named(destination.opens)
    secrets = {name: secret.read(name, config_dir) for name in destination.secrets}
    return opens(gateway, destination.spec, secrets)


def _named(target: str) -> Any:
    """What `module:attribute` names."""
    module, _, attribute = target.partition(":")
    return getattr(importlib.import_module(module), attribute)
