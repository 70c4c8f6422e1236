"""What a script makes happen at its second, in the place of chance."""

from collections.abc import Callable, Sequence

from tests.simulation.cloud import Mood
from tests.simulation.kinds import PLAIN, Kind
from tests.simulation.life import SOUND, Flaw
from tests.simulation.plant import Trouble
from tests.simulation.running import simulate
from tests.simulation.weather import Blow
from tests.simulation.world import Scenario, World

Event = tuple[float, Callable[[World], None]]

TWENTY_YEARS_NS = 20 * 365 * 86_400_000_000_000


def clock(error_ns: int, *, vouched: bool = True) -> Callable[[World], None]:
    return lambda world: world.clock.show(error_ns, vouched=vouched)


def cloud(name: str, mood: Mood) -> Callable[[World], None]:
    return lambda world: world.weather.cloud_turns(world.clouds[name], mood)


def wire(name: str, trouble: Trouble) -> Callable[[World], None]:
    return lambda world: world.weather.wire_turns(world.wires[name], trouble)


def blow(kind: Blow) -> Callable[[World], None]:
    return lambda world: world.strike(kind)


def sleeps(seconds: float) -> Callable[[World], None]:
    return lambda world: world.weather.machine_sleeps(seconds)


def card_breaks(world: World) -> None:
    world.weather.card_breaks()


def card_errs(chance: float) -> Callable[[World], None]:
    """It answers again, but of its commits so many err."""

    def errs(world: World) -> None:
        world.weather.card_is_well()
        world.card.errs = chance

    return errs


def urgent(chance: float) -> Callable[[World], None]:
    """So many of all samples are alarms."""

    def alarms(world: World) -> None:
        for each in world.wires.values():
            each.urgent = chance

    return alarms


def lived(
    script: Sequence[Event], flaw: Flaw = SOUND, kind: Kind = PLAIN, days: float = 0.3
) -> list[str]:
    """What the judge finds when just this happens in a few hours."""
    scenario = Scenario(1, days, faults_a_day=0.0, pace=1.5, flaw=flaw, kind=kind, script=script)
    return simulate(scenario).findings
