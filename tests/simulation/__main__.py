"""Run seeds by hand: `python -m tests.simulation --seed 7 --days 14`."""

import argparse
import sys
import time

from tests.simulation.running import Outcome, simulate
from tests.simulation.world import Scenario


def main() -> int:
    """Run what the command line asks for; 1 when anything was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="the first seed")
    parser.add_argument("--seeds", type=int, default=1, help="how many, one after the other")
    parser.add_argument("--days", type=float, default=4.0, help="gateway days of each")
    parser.add_argument("--faults", type=float, default=40.0, help="faults a day")
    parser.add_argument("--pace", type=float, default=1.0, help="slower reading: less to do")
    parser.add_argument("--story", action="store_true", help="tell what happened, too")
    wanted = parser.parse_args()
    found = 0
    for seed in range(wanted.seed, wanted.seed + wanted.seeds):
        began_s = time.process_time()
        outcome = simulate(Scenario(seed, wanted.days, wanted.faults, wanted.pace))
        _tell(seed, outcome, time.process_time() - began_s, story=wanted.story)
        found += len(outcome.findings)
    return 1 if found else 0


def _tell(seed: int, outcome: Outcome, took_s: float, *, story: bool) -> None:
    out = sys.stdout.write
    for line in outcome.said if story else ():
        out(f"{line}\n")
    for finding in outcome.findings:
        out(f"seed {seed}: {finding}\n")
    counts = ", ".join(f"{number} {name}" for name, number in outcome.counts.items())
    out(f"seed {seed}: {len(outcome.findings)} findings in {took_s:.1f} s CPU; {counts}\n")


if __name__ == "__main__":
    sys.exit(main())
