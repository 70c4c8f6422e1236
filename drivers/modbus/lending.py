"""The line lent to people who look for something: harmless questions, in between the schedule."""

import re
from dataclasses import replace
from typing import Final

from agent.driver import DeviceFault, Question, Reason
from agent.errors import BusyError, ValidationError
from drivers.modbus.bus import Bus, UnfitError
from drivers.modbus.frames import Damaged, Silent
from drivers.modbus.plan import Line, SerialPort, Unit
from drivers.modbus.requests import Request, harmless
from drivers.modbus.wire import Heard

LAST_UNIT: Final = 255  # 0 is everybody, who never answers; above 247 only TCP devices are
_WRITTEN: Final = re.compile(r"(\d{3,7}) ([78])([NEO])([12])")


class Lent:
    """An open line that can be asked (`agent.driver.Asker`).

    Args:
        line: its plan.
        bus: open.
        in_use: a schedule runs on it.
    """

    def __init__(self, line: Line, bus: Bus, *, in_use: bool) -> None:
        self._line, self._bus, self._in_use = line, bus, in_use
        self._known = {unit.address: unit for unit in line.units}

    async def ask(self, question: Question) -> bytes:
        """What the unit says to it: see `agent.driver.Asker`."""
        request = self._request(question)
        place = self._place(question.line)
        self._polite(question, place)
        unit = self._known.get(question.unit)
        timeout_s = question.timeout_s or (unit.timeout_s if unit else self._line.timeout_s)
        patient = Unit("", question.unit, "", timeout_s, self._line.gap_s, ())
        try:
            heard = await self._heard(patient, request, place)
        except Silent as error:
            where = f"at address {question.unit} on {self._line.name}"
            raise DeviceFault(Reason.NO_ANSWER, f"no answer {where}") from error
        except Damaged as error:
            raise DeviceFault(Reason.DAMAGED, error.what) from error
        except UnfitError as error:
            message = f"the port of {self._line.name} cannot be set to {question.line}"
            raise ValidationError(field="line", reason="unfit", message=message) from error
        return heard.pdu

    async def _heard(self, unit: Unit, request: Request, place: SerialPort | None) -> Heard:
        if place is None:
            return await self._bus.ask(unit, request)
        return await self._bus.elsewise(place, unit, request)

    def _request(self, question: Question) -> Request:
        if not 1 <= question.unit <= LAST_UNIT:
            raise ValidationError(field="unit", reason=f"has to be 1 to {LAST_UNIT}")
        request = harmless(question.unit, question.body)
        if request is None:
            raise ValidationError(field="body", reason="is no question that only reads")
        return request

    def _place(self, written: str) -> SerialPort | None:
        """The port set as wanted, or None when it is already."""
        mine = self._line.serial
        if not written or (mine is not None and written == mine.written):
            return None
        place = port_set_to(mine, written) if mine is not None else None
        if place is None:
            reason = "has to be like 9600 8N1, and the connection a serial line"
            raise ValidationError(field="line", reason=reason)
        return place

    def _polite(self, question: Question, place: SerialPort | None) -> None:
        strange = place is not None or question.unit not in self._known
        if not self._in_use or not strange or question.force:
            return
        count = len(self._line.units)
        meters = "1 device is" if count == 1 else f"{count} devices are"
        message = f"{self._line.name} is in use: {meters} read on it"
        action = "--force asks all the same; readings come late meanwhile."
        raise BusyError(message, action=action)


def port_set_to(port: SerialPort, written: str) -> SerialPort | None:
    """The same port with other settings, `19200 8E1`; None when they are none."""
    match = _WRITTEN.fullmatch(written)
    if match is None:
        return None
    return replace(
        port,
        baud=int(match[1]),
        data_bits=int(match[2]),
        parity=match[3],
        stop_bits=int(match[4]),
        written=written,
    )
