"""The bad builds one by one, with what makes each of them show: chance, or a script where that is
cheaper.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from agent.plan import Allowance, Destination, Plan
from tests.simulation import flaws
from tests.simulation.clock import START_NS
from tests.simulation.cloud import Mood
from tests.simulation.events import Event, blow, clock, cloud, sleeps, urgent, wire
from tests.simulation.kinds import BUFFER_BYTES, PLAIN, SMALL_BYTES, Kind
from tests.simulation.life import Flaw
from tests.simulation.plant import Trouble
from tests.simulation.weather import Blow


@dataclass(frozen=True, slots=True)
class Bad:
    """A build that has to be caught.

    Attributes:
        script: what happens to it; empty: seeds, until one of them catches it.
        kind: of the gateway on which the script runs.
    """

    flaw: Flaw
    script: Sequence[Event] = ()
    kind: Kind = PLAIN


def _every(change: Callable[[Destination], Destination]) -> Callable[[Plan], Plan]:
    def changed(plan: Plan) -> Plan:
        made = {name: change(found) for name, found in plan.destinations.items()}
        return replace(plan, destinations=made)

    return changed


def _sooner(found: Destination) -> Destination:
    keep_s = found.keep_offline_s
    return replace(found, keep_offline_s=None if keep_s is None else keep_s / 6)


def _never(found: Destination) -> Destination:
    return replace(found, keep_offline_s=None)


def _without_a_quota(plan: Plan) -> Plan:
    return replace(plan, site=replace(plan.site, buffer_bytes=BUFFER_BYTES))


def _without_a_rate(found: Destination) -> Destination:
    return replace(found, allows=Allowance())


OUT_FOR_HOURS = [(600.0, cloud("deduplicates", Mood.OUT)), (9000.0, blow(Blow.STOP))]
ASLEEP_BEFORE_THE_TIME_IS_KNOWN = [
    (600.0, clock(-START_NS, vouched=False)),
    (600.0, blow(Blow.CUT)),
    (2000.0, sleeps(900.0)),
    (4000.0, clock(0)),
]
AN_HOUR = Kind(keep_offline_s={"deduplicates": 3600.0})
A_READING_A_SECOND = Kind(allows={"deduplicates": Allowance(readings_per_s=1.0)})

A_SMALL_STORE = Kind(SMALL_BYTES, "drop-oldest")
FULL = [
    (600.0, urgent(0.3)),
    (600.0, cloud("deduplicates", Mood.OUT)),
    (700.0, wire("plc", Trouble.FLOOD)),
    (2500.0, urgent(0.0)),
    (15_000.0, wire("plc", Trouble.NONE)),
    (15_000.0, blow(Blow.STOP)),
    (15_100.0, cloud("deduplicates", Mood.WELL)),
]

BUILDS: Mapping[str, Bad] = {
    "a cursor moved before the receipt": Bad(Flaw(outbox=flaws.SettlesBeforeTheReceipt)),
    "urgent samples take their turn": Bad(Flaw(outbox=flaws.ForgetsUrgency)),
    "a partial answer counts for all": Bad(Flaw(outbox=flaws.SettlesWhole)),
    "a lane runs in circles": Bad(Flaw(outbox=flaws.RunsInCircles), [(600.0, sleeps(1.0))]),
    "nothing heard counts as accepted": Bad(Flaw(cloud=flaws.SilenceIsConsent)),
    "a batch is dropped after three failures": Bad(Flaw(cloud=flaws.DropsAfterThree)),
    "a poison sample blocks those behind it": Bad(Flaw(cloud=flaws.BlocksOnPoison)),
    "two records are mixed up": Bad(Flaw(cloud=flaws.MixesUpTwo)),
    "stamped when it is sent": Bad(Flaw(cloud=flaws.StampsAtSending)),
    "stamped anew after it was sent": Bad(Flaw(store=flaws.StampsAgain)),
    "deleted before everybody has it": Bad(Flaw(store=flaws.DeletesEarly)),
    "a cursor ahead of its receipts": Bad(Flaw(store=flaws.CursorAhead)),
    "commits that are not synced": Bad(Flaw(synchronous="normal")),
    "a driver that failed is never run again": Bad(
        Flaw(driver=flaws.GivesUp),
        [(600.0, wire("plc", Trouble.GONE)), (900.0, wire("plc", Trouble.NONE))],
    ),
    "a sample is put twice": Bad(Flaw(driver=flaws.PutsTwice)),
    "every second sample is thrown away after it was accepted": Bad(Flaw(driver=flaws.ThrowsAway)),
    "a boot clock that stands still while the machine sleeps": Bad(
        Flaw(clock=flaws.StandsStillAsleep), ASLEEP_BEFORE_THE_TIME_IS_KNOWN
    ),
    "samples expire too soon": Bad(
        Flaw(plan=_every(_sooner)), [OUT_FOR_HOURS[0], (2500.0, blow(Blow.STOP))], AN_HOUR
    ),
    "samples never expire": Bad(
        Flaw(plan=_every(_never)),
        [*OUT_FOR_HOURS, (9100.0, cloud("deduplicates", Mood.WELL))],
        AN_HOUR,
    ),
    "more than the quota": Bad(Flaw(plan=_without_a_quota), FULL, A_SMALL_STORE),
    "alarms are dropped like anything else": Bad(
        Flaw(store=flaws.DropsAlarms), FULL, A_SMALL_STORE
    ),
    "as fast as it goes, whatever the rate": Bad(
        Flaw(plan=_every(_without_a_rate)),
        [(600.0, cloud("deduplicates", Mood.OUT)), (9100.0, cloud("deduplicates", Mood.WELL))],
        A_READING_A_SECOND,
    ),
}
