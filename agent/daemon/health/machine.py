"""Judge one look at the machine, the store and the configuration: pass, warn or fail, and why.

A fact that this board does not offer is "not measured": its check is left out, never red.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from agent.daemon.health.facts import (
    Card,
    ClockFacts,
    Configuration,
    Machine,
    Power,
    Store,
    Surroundings,
    Throttling,
)
from agent.daemon.health.words import Status

HOT_C = 75.0
THROTTLING_C = 85.0  # cores and GPU are throttled back from here (Raspberry Pi documentation)
MEMORY_LOW = 0.15  # share of RAM still available
LIFE_SHORT_YEARS = 2.0
WORN_WARN, WORN_OUT = 0.8, 1.0  # share of its life that an eMMC reports as used
APPLY = "Check it, then start again: fieldpost check && sudo systemctl restart fieldpost"
UNCOMMITTED_S = 60.0  # accepted samples that wait this long for the card: it does not take them


@dataclass(frozen=True, slots=True)
class Check:
    """One verdict.

    Attributes:
        name: of the check, from the closed list of section 4.
        code: the stable code of its finding.
        message: one sentence; empty when it passes.
        action: what to do, one sentence.
    """

    name: str
    code: str
    status: Status = Status.PASS
    message: str = ""
    action: str | None = None


def checks(around: Surroundings, disk_free_min_bytes: int) -> list[Check]:
    """Every check that could be made, in the order of the list."""
    machine, store = around.machine, around.store
    return [
        *_power(machine.power),
        *_throttling(machine.throttling),
        *_temperature(machine.celsius),
        *_memory(machine),
        _card_space(machine.card, disk_free_min_bytes),
        _card_writable(machine.card, store),
        *_card_wear(machine.card),
        _store(store),
        _clock(machine.clock),
        _configuration(around.configuration),
    ]


def _power(power: Power | None) -> Iterator[Check]:
    action = "Use the official supply and a short cable; fewer USB loads help too"
    if power is None:
        return
    if power.low_now:
        yield Check("power", "FP-H01", Status.FAIL, "The power is too low right now.", action)
    elif power.low_24h:
        times = "once" if power.low_24h == 1 else f"{power.low_24h} times"
        message = f"Power was too low {times} in the last 24 hours."
        yield Check("power", "FP-H01", Status.WARN, message, action)
    else:
        yield Check("power", "FP-H01")


def _throttling(throttling: Throttling | None) -> Iterator[Check]:
    if throttling is None:
        return
    words = throttling.now or throttling.since_start
    power = "under-voltage" in words
    action = "Use the official supply" if power else "Look at heat sink and ventilation"
    if "throttled" in throttling.now:
        message = "The processor is slowed down right now."
        yield Check("throttling", "FP-H02", Status.FAIL, message, action)
    elif words:
        message = f"The processor was slowed down since the start: {', '.join(words)}."
        yield Check("throttling", "FP-H02", Status.WARN, message, action)
    else:
        yield Check("throttling", "FP-H02")


def _temperature(celsius: float | None) -> Iterator[Check]:
    if celsius is None:
        return
    status = Status.PASS
    if celsius >= HOT_C:
        status = Status.FAIL if celsius >= THROTTLING_C else Status.WARN
    message = "" if status is Status.PASS else f"The processor is at {celsius:.0f} C."
    action = "Look at the heat sink and the cabinet's ventilation; keep it out of the sun"
    yield Check("temperature", "FP-H03", status, message, action)


def _memory(machine: Machine) -> Iterator[Check]:
    memory = machine.memory
    if memory is None or memory.total_bytes <= 0:
        return
    share = memory.available_bytes / memory.total_bytes
    if share >= MEMORY_LOW:
        yield Check("memory", "FP-H04")
        return
    message = f"Only {share:.0%} of the memory is available."
    action = "Look at the other programs; `fieldpost bugreport` if it is ours"
    yield Check("memory", "FP-H04", Status.WARN, message, action)


def _card_space(card: Card, disk_free_min_bytes: int) -> Check:
    if card.free_bytes >= disk_free_min_bytes:
        return Check("card_space", "FP-H05")
    message = f"Only {card.free_bytes / 1e6:.0f} MB are free on the card."
    action = "Free some space, or bring the cloud back so that the buffer empties"
    return Check("card_space", "FP-H05", Status.WARN, message, action)


def _card_writable(card: Card, store: Store) -> Check:
    action = "Replace the card"
    if card.read_only:
        message = "The card is read-only: readings live in memory only."
        return Check("card_writable", "FP-H06", Status.FAIL, message, action)
    if store.broken is None and store.uncommitted_age_s >= UNCOMMITTED_S:
        message = f"Nothing reached the card for {store.uncommitted_age_s:.0f} s."
        return Check("card_writable", "FP-H06", Status.FAIL, message, action)
    return Check("card_writable", "FP-H06")


def _card_wear(card: Card) -> Iterator[Check]:
    action = "Raise `may_lose`, move other writers off the card, or use an industrial card"
    worn, years = card.worn, card.projected_life_years
    if worn is not None and worn >= WORN_WARN:
        status = Status.FAIL if worn >= WORN_OUT else Status.WARN
        yield Check(
            "card_wear", "FP-H07", status, f"The card has used {worn:.0%} of its life.", action
        )
    elif years is not None and years < LIFE_SHORT_YEARS:
        message = f"At this rate the card is worn out in {years:.1f} years."
        yield Check("card_wear", "FP-H07", Status.WARN, message, action)
    elif worn is not None or years is not None:
        yield Check("card_wear", "FP-H07")


def _store(store: Store) -> Check:
    if store.broken and "full" in store.broken:
        message = "The card is full: new readings live in memory only, and there is little room."
        action = "Delete what others have written on it; it goes on by itself within a minute"
        return Check("store", "FP-H08", Status.FAIL, message, action)
    if store.broken:
        message = f"New readings live in memory only, because the card refuses ({store.broken})."
        action = "It is tried once a minute; if it stays so, replace the card"
        return Check("store", "FP-H08", Status.FAIL, message, action)
    if store.set_aside:
        message = f"Part of the store was damaged and set aside: {store.set_aside}."
        return Check("store", "FP-H08", Status.WARN, message, "fieldpost queue")
    return Check("store", "FP-H08")


def _clock(clock: ClockFacts) -> Check:
    action = "Look at the network and the time server; a battery clock helps"
    if not clock.synchronized:
        message = "The clock is not set yet; readings wait for it, or go out marked as untrusted."
        return Check("clock", "FP-H09", Status.WARN, message, action)
    if clock.steps_24h:
        message = "The clock jumped by more than a minute in the last 24 hours."
        return Check("clock", "FP-H09", Status.WARN, message, action)
    return Check("clock", "FP-H09")


def _configuration(configuration: Configuration) -> Check:
    if configuration.rejected:
        message = (
            "The configuration file is not valid, so the last good one runs: "
            f"{configuration.rejected}"
        )
        return Check("configuration", "FP-C01", Status.WARN, message, "fieldpost check")
    if configuration.edited_not_applied:
        message = "The configuration file was edited and is not applied."
        return Check("configuration", "FP-C02", Status.WARN, message, APPLY)
    return Check("configuration", "FP-C01")
