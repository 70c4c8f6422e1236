"""Which problems are new, which are over: said once each, dated from when they began."""

import dataclasses
from collections.abc import Collection, Iterable

from agent.daemon.health.journal import Event, Journal
from agent.daemon.health.problems import span
from agent.daemon.health.report import Problem
from agent.daemon.health.words import Status

_OVER = {
    "device": "answers again after {span}",
    "value": "is good again after {span}",
    "connection": "is back after {span}",
    "destination": "works again after {span}",
    "machine": "is well again after {span}",
}


class News:
    """Compares what is found with what was found before."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._known: dict[tuple[str, str], Problem] = {}

    def dated(self, found: Iterable[Problem], now_s: float) -> list[Problem]:
        """The same problems, each with the moment at which it began."""
        return [
            dataclasses.replace(
                problem,
                since_s=known.since_s if (known := self._known.get(problem.key)) else now_s,
            )
            for problem in found
        ]

    def tell(self, found: Iterable[Problem], unwell: Collection[str], now_s: float) -> None:
        """Say what has begun and what is over.

        Args:
            found: all problems of this moment.
            unwell: devices that are not well, whether or not a problem of their own says so: a
                silent wire takes the place of its silent devices, and they have not recovered.
            now_s: this moment.
        """
        current = {problem.key: problem for problem in found}
        for key, problem in current.items():
            known = self._known.get(key)
            if known is None or known.word != problem.word or _another(known, problem):
                self._begun(problem)
        troubled = {problem.subject for problem in current.values()} | set(unwell)
        for key, problem in self._known.items():
            name = problem.subject.partition(".")[0]  # of a value: its device
            if key not in current and not troubled & {problem.subject, name}:
                self._over(problem, now_s)
        self._known = current

    def _begun(self, problem: Problem) -> None:
        word = f"{problem.thing}.{problem.word}"
        self._journal.say(
            Event(
                problem.severity,
                word,
                problem.subject,
                problem.message,
                action=problem.action,
                code=problem.code,
            )
        )

    def _over(self, problem: Problem, now_s: float) -> None:
        text = _OVER[problem.thing].format(span=span(now_s - problem.since_s))
        message = f"{problem.subject}: {text}."
        word = f"{problem.thing}.recovered"
        self._journal.say(Event(Status.PASS, word, problem.subject, message, code=problem.code))


def _another(known: Problem, problem: Problem) -> bool:
    """Whether a cloud is away for another reason: another thing is to be done about it."""
    return problem.thing == "destination" and known.action != problem.action
