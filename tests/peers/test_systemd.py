"""fieldpost as a service of a real systemd: installed from a clone, into a Debian of its own.

Takes six minutes and a network for pip, so it runs when asked for:
`sudo scripts/test -m machine` (`apt-get install systemd-container mmdebstrap`).
"""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.systemd import container
from tests.lab.systemd.container import Container
from tests.lab.systemd.installed import CLONE, DROP_IN, LAB, YAML, Plant

ROOT = Path(__file__).parent.parent.parent
KILL_COSTS = 1.0 / 0.2 + 2  # answers: `may_lose` at one each 200 ms, what was on the wire, one late
TAB = r"sed -i 's/^    address/\t\taddress/' /etc/fieldpost/gateway.yaml"

pytestmark = [pytest.mark.machine, pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Container]:
    if lacks := container.missing():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(lacks)
    with Container(tmp_path_factory.mktemp("machine")) as made:
        yield made


@pytest.fixture(scope="module")
def installed(machine: Container) -> Plant:
    clone = ("git", "clone", "--quiet", "--no-hardlinks")
    subprocess.run([*clone, str(ROOT), str(machine.tree / CLONE[1:])], check=True)
    plant = Plant(machine)
    plant.install()
    for file, place in {
        "peers.py": "opt",
        "probe.py": "opt",
        "ask.py": "opt",
        "peers.service": "etc/systemd/system",
        "counter.yaml": "etc/fieldpost/profiles",
    }.items():
        (machine.tree / place / file).write_bytes((LAB / file).read_bytes())
    plant.sh("useradd -m -G fieldpost anna; useradd -m stranger; echo x > /home/x")
    plant.sh("echo -n s3cret | fieldpost secret set meter-key")
    plant.sh("systemctl daemon-reload; systemctl enable -q --now peers")
    return plant


@pytest.fixture
def plant(installed: Plant) -> Plant:
    """Running and well, whatever the test before did."""
    installed.configure()
    installed.refuse(refuse=False)
    installed.sh(f"rm -f {DROP_IN}; systemctl daemon-reload; systemctl reset-failed")
    installed.sh("systemctl restart fieldpost; systemctl start fieldpost-status.socket")
    installed.forget()
    installed.machine.until("[ -s /var/lib/peers/records ]")
    return installed


def test_everything_belongs_to_whom_it_should(plant: Plant) -> None:
    owned = {
        "/opt/fieldpost": "755 root:root",
        "/etc/fieldpost": "750 fieldpost:fieldpost",
        "/etc/fieldpost/profiles": "755 root:root",
        "/etc/fieldpost/secrets": "700 fieldpost:fieldpost",
        YAML: "640 fieldpost:fieldpost",
        "/var/lib/fieldpost": "700 fieldpost:fieldpost",
        "/run/fieldpost": "750 fieldpost:fieldpost",
        "/run/fieldpost/fieldpost.sock": "660 fieldpost:fieldpost",
    }
    found = plant.sh(f"stat -c '%n %a %U:%G' {' '.join(owned)}").splitlines()
    assert dict(line.split(" ", 1) for line in found) == owned
    assert plant.sh("find /opt/fieldpost ! -type l '(' ! -user root -o -perm /022 ')'") == ""
    assert plant.sh("find /var/lib/fieldpost ! -type d -perm /077") == ""
    assert "dialout" in plant.sh("id -nG fieldpost")


def test_the_daemon_starts_from_bytecode_that_is_there(plant: Plant) -> None:
    loaded = plant.sh("/opt/fieldpost/bin/python -I -B -v -c 'import agent.daemon.app' 2>&1")
    assert "code object from '/opt/fieldpost/lib" in loaded  # of the .pyc files
    from_source = [line for line in loaded.splitlines() if line.endswith(".py'")]
    assert [line for line in from_source if "/opt/fieldpost/" in line] == []


def test_it_is_ready_when_it_takes_readings_and_says_how_it_is(plant: Plant) -> None:
    assert plant.shown("ActiveState") == "active"
    plant.machine.until("systemctl show fieldpost -p StatusText | grep 'cloud ok'")
    assert plant.shown("StatusText").startswith("1 device: 1 ")
    assert (
        "capbnd:\t0000000000000000"
        in plant.sh(f"cat /proc/{plant.shown('MainPID')}/status").lower()
    )


def test_root_and_the_group_may_ask_and_nobody_else(plant: Plant) -> None:
    assert "meter" in plant.sh("fieldpost status")
    assert "meter" in plant.sh("runuser -u anna -- fieldpost status")
    plant.sh("runuser -u anna -- fieldpost read meter; runuser -u anna -- fieldpost check")
    refused = plant.machine.run("USER=stranger runuser -u stranger -- fieldpost status")
    assert refused.returncode == 5
    assert "usermod -aG fieldpost stranger" in refused.stderr
    assert plant.machine.run("runuser -u stranger -- cat " + YAML).returncode != 0


def test_a_secret_that_root_stored_is_the_services(plant: Plant) -> None:
    found = plant.sh("stat -c '%a %U:%G' /etc/fieldpost/secrets/meter-key")
    assert found == "600 fieldpost:fieldpost"
    assert "s3cret" not in plant.sh("fieldpost secret list; journalctl --no-pager -u fieldpost")


def test_the_page_comes_up_for_who_looks_and_goes_when_nobody_does(plant: Plant) -> None:
    ask = "python3 /opt/ask.py"
    assert plant.sh(f"{ask} /livez") == "ok"
    assert plant.sh(f"{ask} /readyz") == "ok"
    assert plant.machine.run(f"{ask} /api/v1/status").returncode != 0
    token = plant.sh("fieldpost token add test --role viewer 2>/dev/null")
    assert "bench-01" in plant.sh(f"{ask} /api/v1/status {token}")
    assert plant.sh("systemctl is-active fieldpost-status") == "active"
    plant.machine.until("! systemctl is-active -q fieldpost-status", 150)
    assert plant.sh("systemctl show fieldpost-status -p Result --value") == "success"
    assert plant.sh(f"{ask} /livez") == "ok"


def test_a_killed_daemon_is_back_and_loses_no_more_than_it_may(plant: Plant) -> None:
    plant.sh("systemctl kill -s KILL --kill-who=main fieldpost")
    plant.machine.until('[ "$(systemctl show fieldpost -p NRestarts --value)" = 1 ]')
    plant.wait_for(plant.answered() + 5)
    assert plant.missing() <= KILL_COSTS
    numbers = {number for _, number, _ in plant.delivered()}
    assert len({epoch for epoch, _, _ in plant.delivered()}) == 1
    assert max(numbers) - min(numbers) + 1 == len(numbers)


def test_a_daemon_that_hangs_is_ended_and_started_again(plant: Plant) -> None:
    plant.drop_in("WatchdogSec=3")
    plant.sh("systemctl restart fieldpost; sleep 4")
    assert plant.shown("NRestarts") == "0"  # it is fed in time
    plant.sh("systemctl kill -s STOP --kill-who=main fieldpost")
    plant.machine.until('[ "$(systemctl show fieldpost -p NRestarts --value)" = 1 ]', 30)
    plant.machine.until("systemctl is-active -q fieldpost")
    assert "Watchdog timeout" in plant.sh("journalctl -u fieldpost --no-pager -n 50")
    plant.wait_for(plant.answered() + 1)


def test_a_bad_file_leaves_the_last_good_one_running(plant: Plant) -> None:
    plant.sh(TAB)
    plant.sh("systemctl restart fieldpost")
    assert "last good one runs" in plant.sh("fieldpost status")
    assert "Tab character" in plant.sh("fieldpost doctor --json")
    plant.machine.until("systemctl show fieldpost -p StatusText | grep 'file is not valid'")
    plant.wait_for(plant.answered() + 1)


def test_a_bad_file_and_no_good_one_waits_for_a_person(plant: Plant) -> None:
    plant.sh("systemctl stop fieldpost; rm /var/lib/fieldpost/config/plan.json")
    plant.sh(TAB)
    assert plant.machine.run("systemctl start fieldpost").returncode != 0
    plant.sh("sleep 7")  # RestartSec is 5
    assert plant.shown("ActiveState") == "failed"
    assert (plant.shown("ExecMainStatus"), plant.shown("NRestarts")) == ("78", "0")
    assert "Tab character" in plant.sh("systemctl status fieldpost --no-pager || true")
    plant.sh("fieldpost check --fix-tabs && systemctl start fieldpost")


def test_a_stop_is_quick_and_leaves_nothing_behind(plant: Plant) -> None:
    plant.refuse(refuse=True)
    plant.sh("sleep 2; time systemctl stop fieldpost")
    last = plant.answered()
    assert (plant.shown("Result"), plant.shown("ExecMainStatus")) == ("success", "0")
    assert "everything accepted is committed" in plant.sh("journalctl -u fieldpost -n 20")
    plant.refuse(refuse=False)
    plant.sh("systemctl start fieldpost")
    plant.wait_for(last + 1)
    assert plant.missing() <= 1  # what was on the wire


def test_what_waits_survives_a_reboot(plant: Plant) -> None:
    plant.refuse(refuse=True)
    plant.sh("sleep 2")
    plant.machine.shut_down()
    plant.machine.boot()
    plant.machine.until("systemctl is-active -q fieldpost")
    plant.refuse(refuse=False)
    plant.wait_for(plant.answered() + 1)
    assert plant.missing() <= 1
    assert len({epoch for epoch, _, _ in plant.delivered()}) == 1


def test_the_daemons_sandbox_lets_it_work_and_nothing_else(plant: Plant) -> None:
    found = plant.probe("fieldpost.service")
    allowed = {name for name, result in found.items() if result is True}
    assert allowed == {
        "write configuration",
        "write state",
        "read state",
        "read secrets",
        "read memory use",
        "read boot id",
        "connect",
        "listen on TCP",  # it never does; the address family is the same
        "start a program",
    }


def test_the_pages_sandbox_lets_it_answer_and_nothing_else(plant: Plant) -> None:
    found = plant.probe("fieldpost-status.service")
    assert {name for name, result in found.items() if result is True} == {"start a program"}


@pytest.mark.parametrize("by", ["WorkingDirectory", "Environment=PYTHONPATH"])
def test_nothing_is_imported_that_lies_in_the_way(plant: Plant, by: str) -> None:
    plant.sh(
        "mkdir -p /srv/way/agent; for m in sitecustomize orjson json agent/__init__; do "
        'echo \'open("/var/lib/fieldpost/planted", "w")\' > /srv/way/$m.py; done'
    )
    plant.drop_in(f"{by}=/srv/way")
    plant.sh("systemctl stop fieldpost; rm -f /var/lib/fieldpost/config/plan.json")
    plant.sh("systemctl start fieldpost")
    plant.sh("cd /srv/way && PYTHONPATH=/srv/way fieldpost check && fieldpost status")
    plant.sh("test ! -e /var/lib/fieldpost/planted")


def test_removed_and_installed_again_it_goes_on_where_it_was(plant: Plant) -> None:
    before = plant.sh("fieldpost secret list; cat /var/lib/fieldpost/buffer/* | wc -c")
    last = plant.answered()
    plant.sh(f"{CLONE}/scripts/install --remove")
    assert plant.sh("find /opt/fieldpost /etc/systemd /usr -name '*fieldpost*' || true") == ""
    assert before.splitlines()[-1] != "0"
    plant.install()
    plant.sh("systemctl start fieldpost")
    plant.wait_for(last + 1)
    assert len({epoch for epoch, _, _ in plant.delivered()}) == 1
