"""Counting and waiting, on a clock that obeys."""

from agent.status.limits import GUESSES_OF_ALL, KEPT, WAIT_MAX_S, Guesses, Rates


class Time:
    """Seconds that pass when told."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def test_a_window_begins_anew_after_a_minute() -> None:
    time = Time()
    rates = Rates(time)
    first = [rates.take("a", 2).allowed for _ in range(3)]
    time.now_s += 60
    again = rates.take("a", 2)

    assert first == [True, True, False]
    assert (again.allowed, again.remaining, again.reset_s) == (True, 1, 60)


def test_five_failures_are_free_and_then_the_wait_doubles_up_to_fifteen_minutes() -> None:
    time = Time()
    guesses = Guesses(time)
    waits = []
    for _ in range(20):
        guesses.failed("peer")
        waits.append(guesses.wait_s("peer"))
        time.now_s += waits[-1]

    assert waits[:5] == [0] * 5
    assert waits[5:10] == [1, 2, 4, 8, 16]
    assert waits[-1] == WAIT_MAX_S


def test_slow_failures_are_forgiven_and_so_is_a_guesser_after_a_pause() -> None:
    time = Time()
    guesses = Guesses(time)
    for _ in range(20):
        guesses.failed("clumsy")
        time.now_s += 13
    patient = guesses.wait_s("clumsy")
    for _ in range(8):
        guesses.failed("eager")
    time.now_s += 2 * WAIT_MAX_S
    guesses.failed("eager")

    assert patient == 0
    assert guesses.wait_s("eager") == 0


def test_many_failures_of_many_peers_close_the_door_for_new_ones_for_a_minute() -> None:
    time = Time()
    guesses = Guesses(time)
    guesses.succeeded("known")
    for number in range(GUESSES_OF_ALL):
        guesses.failed(f"peer {number}")
    closed = guesses.wait_s("new")
    known = guesses.wait_s("known")
    time.now_s += 61

    assert (closed, known) == (60, 0)
    assert guesses.wait_s("new") == 0


def test_memory_is_bounded_whoever_comes() -> None:
    time = Time()
    rates, guesses = Rates(time), Guesses(time)
    for number in range(3 * KEPT):
        rates.take(f"{number}", 1)
        guesses.failed(f"{number}")
        guesses.succeeded(f"{number}")

    assert len(rates._windows) == KEPT  # noqa: SLF001 - the bound is what is promised
    assert len(guesses._guessers) == KEPT  # noqa: SLF001 - likewise
    assert len(guesses._known) == KEPT  # noqa: SLF001 - likewise
