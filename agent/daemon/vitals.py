"""What the machine offers to say about itself: `/proc`, `/sys` and `statvfs`, nothing else.

A fact that this board does not have is None, never a zero. Every file is read through `root`, so a
made-up tree stands in for a board in tests.
"""

import contextlib
import os
import resource
from collections.abc import Callable
from pathlib import Path

from agent import __version__, cloud
from agent.clock import Clock
from agent.daemon.health import window
from agent.daemon.health.facts import Card, ClockFacts, Machine, Memory, Power, Throttling

ENDURANCE_BYTES = 10e12  # assumed of a 32 GB consumer card; vendors publish none
ENDURANCE_CARD_BYTES = 32e9
STEP_NS = 60_000_000_000  # the wall clock against the boot clock; less is slewing
DAY_S, YEAR_DAYS = 86_400.0, 365.25
RATE_AFTER_S = 3600.0  # a rate over less time would be a guess
SECTOR = 512  # of `stat`: always, whatever the device has (block/stat.rst)
EMMC_STEP = 0.1  # life_time is given in tenths (JEDEC JESD84-B51, 7.4.77)
THROTTLED = {0: "under-voltage", 1: "capped", 2: "throttled", 3: "soft-limit"}
OCCURRED = 16  # the same bits from here on: has occurred
_LOW, _STEPS, _WRITTEN, _OURS = "low", "steps", "written", "ours"


class Vitals:
    """Looks at the machine when told to, every ten seconds.

    Args:
        state: the state directory; its file system is "the card".
        watch: the clock whose steps are counted.
        written_bytes: what our commits wrote since the start, where the kernel does not count it.
        root: where `proc` and `sys` are.
    """

    def __init__(
        self,
        state: Path,
        watch: Clock,
        written_bytes: Callable[[], int] = lambda: 0,
        root: Path = Path("/"),
    ) -> None:
        self._state = state
        self._clock = watch
        self._commits = written_bytes
        self._root = root
        self._began_s = watch.monotonic_s()
        self._day = window.day(self._began_s)
        self._offset_ns: int | None = None
        self._totals: dict[str, int] = {}
        self._low = False
        self._occurred = 0
        self._machine: Machine | None = None

    def look(self) -> Machine:
        """Read everything again."""
        now_s = self._clock.monotonic_s()
        self._watch_clock(now_s)
        self._machine = Machine(
            model=self._text("sys/firmware/devicetree/base/model"),
            boot_uptime_s=int(now_s),
            card=self._card(now_s),
            clock=self._clock_facts(now_s),
            power=self._power(now_s),
            throttling=self._throttling(),
            celsius=self._celsius(),
            memory=self._memory(),
            load_1min=self._load(),
        )
        return self._machine

    @property
    def machine(self) -> Machine:
        """What was seen last; looks once when nothing was."""
        return self._machine or self.look()

    def beat(self) -> cloud.Vitals:
        """What a heartbeat tells."""
        memory = self.machine.memory
        return cloud.Vitals(
            uptime_s=int(self._clock.monotonic_s() - self._began_s),
            version=__version__,
            free_memory_kb=memory.available_bytes // 1024 if memory else 0,
        )

    def _watch_clock(self, now_s: float) -> None:
        at = self._clock.now()
        offset_ns = at.wall_ns - at.mono_ns
        if self._offset_ns is not None and abs(offset_ns - self._offset_ns) > STEP_NS:
            self._day.add(now_s, _STEPS)
        self._offset_ns = offset_ns

    def _clock_facts(self, now_s: float) -> ClockFacts:
        steps = int(self._day.sum(now_s, _STEPS))
        rtc = (self._root / "dev/rtc0").exists()
        return ClockFacts(self._clock.now().trusted, steps, rtc)

    def _power(self, now_s: float) -> Power | None:
        """`in0_lcrit_alarm` speaks of the driver's last poll, so we count what we see."""
        for chip in sorted((self._root / "sys/class/hwmon").glob("hwmon*")):
            if self._text(str(chip / "name")) != "rpi_volt":
                continue
            low = self._text(str(chip / "in0_lcrit_alarm")) == "1"
            if low and not self._low:
                self._day.add(now_s, _LOW)
            self._low = low
            return Power(low, int(self._day.sum(now_s, _LOW)))
        return None

    def _throttling(self) -> Throttling | None:
        text = self._text("sys/devices/platform/soc/soc:firmware/get_throttled")
        try:
            bits = int(text or "", 16)
        except ValueError:
            return None
        self._occurred |= bits | bits >> OCCURRED
        return Throttling(_words(bits), _words(self._occurred))

    def _celsius(self) -> float | None:
        value = self._number("sys/class/thermal/thermal_zone0/temp")
        return None if value is None else round(value / 1000, 1)

    def _memory(self) -> Memory | None:
        lines = (self._text("proc/meminfo") or "").splitlines()
        kb = {name: rest.split() for name, _, rest in (line.partition(":") for line in lines)}
        try:
            total, available = int(kb["MemTotal"][0]), int(kb["MemAvailable"][0])
            pages = int((self._text("proc/self/statm") or "").split()[1])
        except (KeyError, ValueError, IndexError):
            return None
        return Memory(available * 1024, total * 1024, pages * resource.getpagesize())

    def _load(self) -> float | None:
        words = (self._text("proc/loadavg") or "").split()
        return float(words[0]) if words else None

    def _card(self, now_s: float) -> Card:
        try:
            disk = os.statvfs(self._state)
        except OSError:  # the card is gone: nothing can be written, which is what to say
            return Card(0, 0, read_only=True)
        total = disk.f_blocks * disk.f_frsize
        written = self._written()
        written_day = self._rate(now_s, _WRITTEN, written)
        endurance = ENDURANCE_BYTES * max(1.0, total / ENDURANCE_CARD_BYTES)
        return Card(
            free_bytes=disk.f_bavail * disk.f_frsize,
            total_bytes=total,
            read_only=bool(disk.f_flag & os.ST_RDONLY),
            written_bytes=written,
            written_bytes_day=written_day,
            agent_written_bytes_day=self._rate(now_s, _OURS, self._ours()),
            projected_life_years=(
                round(endurance / written_day / YEAR_DAYS, 1) if written_day else None
            ),
            assumed_endurance_bytes=int(endurance),
            worn=self._worn(),
        )

    def _rate(self, now_s: float, key: str, total: int | None) -> int | None:
        """Bytes a day, from what was added in the last day; None until an hour was seen."""
        if total is None:
            return None
        self._day.add(now_s, key, max(0, total - self._totals.get(key, total)))
        self._totals[key] = total
        if self._day.observed_s(now_s) < RATE_AFTER_S:
            return None
        return round(self._day.rate(now_s, key) * DAY_S)

    def _ours(self) -> int:
        """Bytes this process had written to the card: far more than its commits hold (proc(5))."""
        lines = (self._text("proc/self/io") or "").splitlines()
        counts = dict(line.split(": ", 1) for line in lines if ": " in line)
        written = counts.get("write_bytes", "")
        return int(written) if written.isdecimal() else self._commits()

    def _written(self) -> int | None:
        """Bytes written to the whole block device: field 7 of its `stat`, in sectors."""
        disk = self._disk()
        fields = (self._text(str(disk / "stat")) or "").split() if disk else []
        return int(fields[6]) * SECTOR if len(fields) > 6 else None  # noqa: PLR2004 - seven fields

    def _worn(self) -> float | None:
        disk = self._disk()
        text = self._text(str(disk / "device/life_time")) if disk else None
        try:
            steps = max(int(word, 16) for word in (text or "").split())
        except ValueError:
            return None
        return steps * EMMC_STEP if steps else None

    def _disk(self) -> Path | None:
        """The device below the state directory; of a partition, the disk it is on."""
        try:
            number = self._state.stat().st_dev
        except OSError:
            return None
        node = self._root / f"sys/dev/block/{os.major(number)}:{os.minor(number)}"
        if not node.exists():
            return None
        node = node.resolve()
        return node.parent if (node / "partition").exists() else node

    def _number(self, path: str) -> int | None:
        with contextlib.suppress(ValueError):
            return int(self._text(path) or "")
        return None

    def _text(self, path: str) -> str | None:
        """A small file without its line end; None when this board does not have it."""
        try:
            text = (self._root / path).read_text(encoding="ascii", errors="replace")
        except OSError:
            return None
        return text.strip("\0\n ") or None


def _words(bits: int) -> list[str]:
    return [word for bit, word in THROTTLED.items() if bits >> bit & 1]
