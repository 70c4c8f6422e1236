"""What a value may look like, and what it becomes."""

from collections.abc import Callable
from typing import Any

import pytest
from pydantic_core import PydanticCustomError

from agent.prepare import addresses, models, quantities
from agent.prepare.types import HostPort, SerialLine


def refusal(read: Callable[[Any], Any], text: Any) -> tuple[str, str | None]:
    with pytest.raises(PydanticCustomError) as refused:
        read(text)
    context = refused.value.context
    assert context is not None
    return context["message"], context["fix"]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("300ms", 0.3), ("10s", 10), ("5min", 300), ("1h", 3600), ("2d", 172800), ("1.5 s", 1.5)],
)
def test_times(text: str, seconds: float) -> None:
    assert quantities.seconds(text) == seconds


@pytest.mark.parametrize(
    ("text", "size"), [("200MB", 200e6), ("2GB", 2e9), ("64KiB", 65536), ("1.5GiB", 1.5 * 2**30)]
)
def test_sizes(text: str, size: int) -> None:
    assert quantities.size(text) == size


@pytest.mark.parametrize("text", ["-1s", "s", "1 s s", "\u0661s", "1e3s", "", "10,5s", "∞"])
def test_what_is_no_time_says_how_to_write_one(text: str) -> None:
    message, fix = refusal(quantities.seconds, text)
    assert message == f"'{text}' is not a time"
    assert fix == "write a number and a unit, like 10s, 300ms or 5min"


@pytest.mark.parametrize(
    ("text", "fix"),
    [("5sec", "write 5s"), ("5S", "write 5s"), ("5m", "write 5min"), ("2hours", "write 2h")],
)
def test_a_slip_of_the_unit_is_understood(text: str, fix: str) -> None:
    assert refusal(quantities.seconds, text)[1] == fix


def test_bounds_of_times_and_sizes() -> None:
    assert refusal(quantities.interval, "0s")[1] == "write 1s or more"
    assert refusal(quantities.seconds, "9999d")[0] == "9999d is longer than ten years"
    assert refusal(quantities.size, "2gb")[1] == "write 2GB"
    assert refusal(quantities.size, "2parsecs")[1] == "write 2MB or 2GB"
    assert refusal(quantities.seconds, {})[0].startswith("one value is expected here")


def test_switches_in_every_usual_form() -> None:
    assert [quantities.switch(t) for t in ("yes", "True", "ON")] == [True] * 3
    assert [quantities.switch(t) for t in ("no", "False", "off")] == [False] * 3


@pytest.mark.parametrize("text", ["0x1F", "31", "+31"])
def test_whole_numbers(text: str) -> None:
    assert quantities.whole(text) == 31


@pytest.mark.parametrize("text", ["1_000", "1.0", "", "nan", "9" * 30])
def test_what_is_no_whole_number(text: str) -> None:
    assert refusal(quantities.whole, text)[0] == f"'{text}' is not a whole number"


@pytest.mark.parametrize("text", ["nan", "inf", "1e999", "1_0", "0x10", ""])
def test_what_is_no_number(text: str) -> None:
    assert refusal(quantities.number, text)[0] == f"'{text}' is not a number"
    assert quantities.number("-1.5e3") == -1500


@pytest.mark.parametrize("text", ["on", "No", "null", "y"])
def test_words_that_other_tools_read_as_something_else_are_no_names(text: str) -> None:
    assert "cannot be a name" in refusal(addresses.name, text)[0]


def test_a_name_is_proposed_in_the_right_form() -> None:
    assert refusal(addresses.name, "Oven Meter_2")[1] == "write oven-meter-2"
    assert refusal(addresses.name, "***")[1] is None
    assert addresses.name("oven-meter-2") == "oven-meter-2"


def test_serial_lines() -> None:
    assert addresses.serial_line("19200 8e1") == SerialLine(19200, 8, "E", 1)
    assert (SerialLine().bits, SerialLine(1200, 7, "E", 1).bits) == (10, 10)
    assert SerialLine(4800, 8, "N", 2).written == "4800 8N2"


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("192.168.1.40", "192.168.1.40", None),
        ("meter.lan:1502", "meter.lan", 1502),
        ("fe80::1", "fe80::1", None),
        ("[fe80::1]:502", "fe80::1", 502),
    ],
)
def test_hosts(text: str, host: str, port: int | None) -> None:
    assert addresses.host_port(text) == HostPort(host, port)
    assert addresses.host_port(text).written == (text if port else HostPort(host).written)


@pytest.mark.parametrize("text", ["", "a b", "http://x", ":502", "[x]:1", "-x-", "x:", "x:70000"])
def test_what_is_no_host(text: str) -> None:
    assert refusal(addresses.host_port, text)[0]


def test_bluetooth_addresses() -> None:
    assert addresses.mac("a4-c1-38-a1-b2-c3") == "A4:C1:38:A1:B2:C3"
    assert refusal(addresses.mac, "A4:C1:38")[0].endswith("it has 3 pairs, not 6")


@pytest.mark.parametrize("text", ["secret:../x", "secret:", "secret:a b", "secret:.."])
def test_the_name_of_a_secret_is_no_path(text: str) -> None:
    assert "is not the name of a secret" in refusal(addresses.secret_name, text)[0]


def test_a_ca_is_a_secret_or_a_path() -> None:
    assert addresses.secret_or_path("/etc/ssl/ca.pem") == "/etc/ssl/ca.pem"
    assert isinstance(addresses.secret_or_path("secret:ca"), addresses.SecretRef)
    assert refusal(addresses.secret_or_path, "ca.pem")[1]


def test_where_the_status_page_listens() -> None:
    assert models.read_listen("none") == "none"
    assert models.read_listen("[::1]:8080") == "[::1]:8080"
    assert refusal(models.read_listen, "127.0.0.1") == (
        "'127.0.0.1' has no port",
        "write 127.0.0.1:8080, or none",
    )


@pytest.mark.parametrize("text", ["0 readings", "three", "3 days"])
def test_what_is_no_number_of_readings(text: str) -> None:
    assert refusal(models.read_late_after, text)[1] == "write 3 readings"


@pytest.mark.parametrize("zone", ["Europe", "../etc/passwd", "", "Mars/Olympus", "x" * 300])
def test_what_is_no_time_zone(zone: str) -> None:
    assert refusal(models.read_timezone, zone)[0] == f"we know no time zone '{zone}'"


def test_a_buffer_that_could_hold_nothing_is_refused() -> None:
    assert refusal(models.read_buffer, "2kB") == (
        "2kB is too small: the buffer needs 1MB or more",
        "write 2GB",
    )
