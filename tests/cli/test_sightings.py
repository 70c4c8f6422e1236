"""How the devices that were found on a line are shown."""

from agent.cli import adding, sightings
from agent.cli.wire import Wire
from agent.driver import Sighting
from agent.plan import Connection
from drivers.modbus.settings import RTU

LINE = "9600 8N1"


def refusing(address: int, code: int = 4) -> Sighting:
    says = f"answers, but only with exception {code}: it is so"
    return Sighting(address, LINE, says=says, refuses=True)


def test_those_who_refuse_alike_are_one_line() -> None:
    found = [refusing(3), Sighting(4, LINE), *map(refusing, (7, 8, 9)), refusing(5, 6)]
    assert [*sightings.refusing(found)] == [
        "3, 7-9  9600 8N1  answer, but only with exception 4: it is so",
        "5  9600 8N1  answers, but only with exception 6: it is so",
    ]


def test_a_guess_names_all_profiles_and_what_speaks_for_them() -> None:
    one = Sighting(2, LINE, ["one", "two"], says="x", why="50 Hz, 230 V stand where it has them")
    assert sightings.lines_of(one, None) == [
        "  2  9600 8N1    one or 1 more?              new",
        "                 x",
        "                 perhaps one or two: 50 Hz, 230 V stand where it has them",
    ]


def test_what_is_shown_to_be_typed_works_as_it_stands() -> None:
    wire = Wire(Connection("rs485", "modbus-rtu", "", "/dev/x", {}, ()), RTU, [], {})
    sure, guess, unknown = (
        adding.block(wire, Sighting(4, LINE, profiles, sure=sure))
        for profiles, sure in ((["one"], True), (["one", "two"], False), ([], False))
    )
    assert sure[0] == "To read address 4, write below `devices:`"
    assert sure[-1].endswith("--add NAME --address 4")
    assert guess[-1].endswith("--add NAME --address 4 --profile one")
    assert unknown[-1].endswith("--add NAME --address 4 --profile ...")


def test_who_answered_at_several_settings_is_told_once() -> None:
    said = [*sightings.also([Sighting(2, LINE, also=["4800 8N1", "19200 8N1"]), Sighting(3, LINE)])]
    assert said == ["2 answered at 4800 8N1, 19200 8N1 too.", sightings.ALSO]
    assert not [*sightings.also([Sighting(3, LINE)])]
