"""The shipped units keep what they promise: every directive, the score, and readable at all."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

UNITS = Path(__file__).parent.parent / "systemd"

# what both services must say, whatever else they say
SANDBOX = [
    "AmbientCapabilities=",
    "CapabilityBoundingSet=",
    "KeyringMode=private",
    "LimitCORE=0",
    "LockPersonality=yes",
    "MemoryDenyWriteExecute=yes",
    "NoNewPrivileges=yes",
    "PrivateMounts=yes",
    "PrivateTmp=yes",
    "ProtectClock=yes",
    "ProtectControlGroups=yes",
    "ProtectHome=yes",
    "ProtectHostname=yes",
    "ProtectKernelLogs=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelTunables=yes",
    "ProtectProc=invisible",
    "ProtectSystem=strict",
    "RemoveIPC=yes",
    "RestrictNamespaces=yes",
    "RestrictRealtime=yes",
    "RestrictSUIDSGID=yes",
    "SystemCallArchitectures=native",
    "SystemCallErrorNumber=EPERM",
    "SystemCallFilter=@system-service",
    "UMask=0077",
    "DevicePolicy=closed",
]
DAEMON = [
    "Type=notify",
    "NotifyAccess=main",
    "WatchdogSec=60",
    "Restart=always",
    "RestartSec=5",
    "StartLimitIntervalSec=0",
    "RestartPreventExitStatus=78",
    "After=local-fs.target",
    "Wants=network-online.target",
    "TimeoutStopSec=30",
    "OOMPolicy=stop",
    "MemoryMax=256M",
    "TasksMax=128",
    "LimitNOFILE=1024",
    "User=fieldpost",
    "Group=fieldpost",
    "SupplementaryGroups=dialout",
    "StateDirectory=fieldpost",
    "StateDirectoryMode=0700",
    "RuntimeDirectory=fieldpost",
    "RuntimeDirectoryMode=0750",
    "RuntimeDirectoryPreserve=yes",  # a store in RAM outlives the restart that brings it in
    "ReadWritePaths=/etc/fieldpost",
]
STATUS = [
    "User=fieldpost-status",
    "Group=fieldpost",
    "PrivateNetwork=yes",
    "IPAddressDeny=any",
    "PrivateDevices=yes",
    "ProcSubset=pid",
    "MemoryMax=96M",
    "TasksMax=32",
    "RestrictAddressFamilies=AF_UNIX",
]
LEFT_OUT = ["PrivateUsers", "ProcSubset", "PrivateDevices", "IPAddressDeny", "DynamicUser"]


def lines(unit: str) -> list[str]:
    text = (UNITS / unit).read_text(encoding="utf-8")
    return [line.strip() for line in text.splitlines() if line and not line.startswith("#")]


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)


def analyze() -> str:
    found = shutil.which("systemd-analyze")
    if not found:
        message = "systemd-analyze is missing: apt-get install systemd"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(message)
    return str(found)


@pytest.mark.parametrize("line", SANDBOX + DAEMON)
def test_the_daemons_unit_says(line: str) -> None:
    assert line in lines("fieldpost.service")


@pytest.mark.parametrize("line", SANDBOX + STATUS)
def test_the_status_services_unit_says(line: str) -> None:
    assert line in lines("fieldpost-status.service")


@pytest.mark.parametrize("key", LEFT_OUT)
def test_the_daemons_unit_leaves_out_what_would_blind_or_bind_it(key: str) -> None:
    assert not [line for line in lines("fieldpost.service") if line.startswith(f"{key}=")]


def test_the_daemon_sees_serial_ports_only_also_those_that_are_plugged_in_later() -> None:
    allowed = [line for line in lines("fieldpost.service") if line.startswith("DeviceAllow=")]
    # the kernel knows the names ttyUSB (188) and ttyACM (166) only once there was an adapter
    assert sorted(allowed) == [
        "DeviceAllow=char-166 rw",
        "DeviceAllow=char-188 rw",
        "DeviceAllow=char-ttyAMA rw",
        "DeviceAllow=char-ttyS rw",
        "DeviceAllow=char-ttymxc rw",
    ]


def test_the_daemon_does_not_wait_for_a_network() -> None:
    assert not [
        line
        for line in lines("fieldpost.service")
        if line.startswith("After=") and "network" in line
    ]


def test_the_status_page_is_offered_to_this_machine_only() -> None:
    listens = [line for line in lines("fieldpost-status.socket") if line.startswith("ListenStream")]
    assert listens == ["ListenStream=127.0.0.1:8080"]


@pytest.mark.parametrize("unit", ["fieldpost.service", "fieldpost-status.service"])
def test_no_code_is_imported_from_where_somebody_else_can_write(unit: str) -> None:
    [start] = [line for line in lines(unit) if line.startswith("ExecStart=")]
    assert start.startswith("ExecStart=/opt/fieldpost/bin/python -I -B /opt/fieldpost/bin/")


@pytest.mark.parametrize(
    ("unit", "tenths"), [("fieldpost.service", 20), ("fieldpost-status.service", 15)]
)
def test_the_exposure_stays_below_what_is_promised(unit: str, tenths: int) -> None:
    offline = ["--offline=true", "--no-pager", f"--threshold={tenths}"]
    done = run(analyze(), "security", *offline, UNITS / unit)
    assert done.returncode == 0, done.stdout.splitlines()[-1:] + done.stderr.splitlines()


def test_a_unit_without_its_sandbox_is_caught(tmp_path: Path) -> None:
    bare = tmp_path / "bare.service"
    bare.write_text("[Service]\nExecStart=/bin/true\n", encoding="utf-8")
    offline = ["--offline=true", "--no-pager", "--threshold=20"]
    assert run(analyze(), "security", *offline, bare).returncode != 0


def test_systemd_finds_nothing_to_complain_about(tmp_path: Path) -> None:
    # the installed interpreter is not there yet: the one that runs this stands in for it
    for unit in UNITS.glob("*.s[eo]*"):
        text = unit.read_text(encoding="utf-8")
        text = text.replace("/opt/fieldpost/bin/python", sys.executable)
        (tmp_path / unit.name).write_text(text, encoding="utf-8")
    done = run(analyze(), "verify", "--man=no", *sorted(tmp_path.iterdir()))
    assert [line for line in done.stderr.splitlines() if "fieldpost" in line] == []


def test_the_users_of_the_units_are_made(tmp_path: Path) -> None:
    tool = shutil.which("systemd-sysusers")
    if not tool:
        pytest.skip("systemd-sysusers is missing: apt-get install systemd")
    (tmp_path / "etc").mkdir()
    done = run(tool, f"--root={tmp_path}", UNITS / "fieldpost.sysusers")
    assert done.returncode == 0, done.stderr
    users = (tmp_path / "etc/passwd").read_text(encoding="utf-8")
    groups = (tmp_path / "etc/group").read_text(encoding="utf-8")
    assert {line.split(":")[0] for line in users.splitlines()} >= {"fieldpost", "fieldpost-status"}
    members = {line.split(":")[0]: line.split(":")[3] for line in groups.splitlines()}
    assert "fieldpost-status" in members["fieldpost"]
    assert "fieldpost" in members["dialout"]
