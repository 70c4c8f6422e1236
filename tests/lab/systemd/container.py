"""Debian with systemd as PID 1, in a container on this kernel: boots within a second. Needs root.

Enforced: Type=notify, watchdog, restarts, users, the sandbox (file systems, seccomp, capabilities,
namespaces), private network. Not shown: MemoryMax, TasksMax and IPAddressDeny where the host keeps
its controllers on cgroup v1, and DeviceAllow. What ends all its processes at once is no power cut:
the page cache survives.

`FIELDPOST_LAB_CACHE` holds the tree that every container is a copy of (default
`~/.cache/fieldpost-lab`; deleting it is safe), `FIELDPOST_LAB_SUITE` names the Debian release.
"""

import hashlib
import os
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Self

SUITE = os.environ.get("FIELDPOST_LAB_SUITE", "bookworm")
PACKAGES = "systemd,systemd-sysv,dbus,git,python3,python3-venv"
LEFT_OUT = ("man", "doc", "locale")  # of /usr/share
MAKE_S = 300.0
BOOT_S = 60
CLEAN = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
}
CERTIFICATES = Path("etc/ssl/certs/ca-certificates.crt")
TOOLS = {"systemd-nspawn": "systemd-container", "mmdebstrap": "mmdebstrap", "nsenter": "util-linux"}


def missing() -> str | None:
    """What this machine lacks, or None."""
    absent = " ".join(package for tool, package in TOOLS.items() if not shutil.which(tool))
    if os.geteuid() != 0:
        return "needs root"
    if not _mounted("cgroup2"):
        return "needs a mounted cgroup2 file system"
    return f"needs: apt-get install {absent}" if absent else None


class Container:
    """One machine; `with`, and it is gone afterwards.

    Args:
        folder: for its tree and its console; removed by the caller.
    """

    def __init__(self, folder: Path) -> None:
        self.tree = folder / "tree"
        self._console = folder / "console"
        # of its own: two containers under one group would collide
        name = f"fieldpost-lab-{hashlib.sha256(str(folder).encode()).hexdigest()[:8]}"
        self._cgroup = _mounted("cgroup2")[0] / name
        self._nspawn: subprocess.Popen[bytes] | None = None
        self._leader = 0

    def __enter__(self) -> Self:
        subprocess.run(["cp", "-a", "--reflink=auto", _base(), self.tree], check=True)
        shutil.copy("/etc/resolv.conf", self.tree / "etc/resolv.conf")
        if (Path("/") / CERTIFICATES).exists():
            (self.tree / CERTIFICATES).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(Path("/") / CERTIFICATES, self.tree / CERTIFICATES)
        self.boot()
        return self

    def __exit__(self, *_: object) -> None:
        self.shut_down()

    def boot(self) -> None:
        """Start it, and wait until systemd has nothing left to start."""
        self._cgroup.mkdir(exist_ok=True)
        nspawn = [
            *("systemd-nspawn", "--quiet", f"--directory={self.tree}"),
            # no machined and no systemd outside: neither registration nor a unit of its own
            *(f"--machine={self._cgroup.name}", "--keep-unit", "--register=no"),
            *("--private-network", "--console=passive", "--kill-signal=SIGRTMIN+3"),
            *("--boot", "systemd.show_status=0"),
        ]
        entered = f"echo $$ > {self._cgroup}/cgroup.procs; exec {shlex.join(nspawn)}"
        with self._console.open("wb") as console:
            self._nspawn = subprocess.Popen(
                ["sh", "-c", entered],
                env=CLEAN | {"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._leader = self._found()
        self.until("systemctl is-system-running | grep -Eq 'running|degraded'", BOOT_S)

    def shut_down(self) -> None:
        """Power it off in order; `boot` starts it again with everything it had written."""
        if self._nspawn is None:
            return
        self._enter("systemctl poweroff", timeout_s=BOOT_S)
        try:
            self._nspawn.wait(timeout=BOOT_S)
        except subprocess.TimeoutExpired:
            self._nspawn.kill()
            self._nspawn.wait()
        self._nspawn = None
        # systemd-nspawn leaves groups of this name in every hierarchy there is
        for hierarchy in _mounted("cgroup", "cgroup2"):
            for group, _, _ in os.walk(hierarchy / self._cgroup.name, topdown=False):
                Path(group).rmdir()

    def run(
        self, command: str, *, online: bool = False, timeout_s: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """Run shell text as root.

        Args:
            command: for bash.
            online: with this machine's network instead of the container's own, and with what pip
                was told here.
            timeout_s: before it is given up.
        """
        return self._enter(command, online=online, timeout_s=timeout_s)

    def sh(self, command: str) -> str:
        """Run shell text of which every command has to succeed; what it printed."""
        done = self.run(f"set -e; {command}")
        assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout.strip()

    def until(self, condition: str, within_s: int = 20) -> None:
        """Wait for a condition in shell text."""
        wait = f"end=$((SECONDS+{within_s})); until {{ {condition}; }} >/dev/null 2>&1; do"
        command = f"{wait} [ $SECONDS -lt $end ] || exit 1; sleep .1; done"
        done = self._enter(command, timeout_s=within_s + 30)
        assert done.returncode == 0, f"not within {within_s} s: {condition}\n{self._journal()}"

    def _journal(self) -> str:
        """What the machine last said, for whoever reads why a test failed."""
        return self._enter("journalctl --no-pager -o cat -n 40", timeout_s=30).stdout

    def _enter(
        self, command: str, *, online: bool = False, timeout_s: float
    ) -> subprocess.CompletedProcess[str]:
        spaces = ["-m", "-u", "-i", "-p", "-C"] if online else ["-a"]
        told = {key: value for key, value in os.environ.items() if key.startswith("PIP_")}
        return subprocess.run(
            ["nsenter", "-t", str(self._leader), *spaces, "/bin/bash", "-c", f"cd; {command}"],
            env=CLEAN | told if online else CLEAN,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_s,
        )

    def _found(self) -> int:
        """The container's PID 1: the child of systemd-nspawn that is called systemd."""
        assert self._nspawn is not None
        script = (
            f"for i in $(seq {BOOT_S * 10}); do for c in "
            f"$(cat /proc/{self._nspawn.pid}/task/*/children 2>/dev/null); do "
            '[ "$(cat /proc/$c/comm)" = systemd ] && echo $c && exit; done; sleep .1; done'
        )
        found = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False)
        assert found.stdout.strip(), self._console.read_text(errors="replace")
        return int(found.stdout)


def _mounted(*kinds: str) -> list[Path]:
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    return [Path(mount[1]) for mount in mounts if mount[2] in kinds]


def _base() -> Path:
    """The tree to copy, made once and again when what belongs into it changes."""
    cache = Path(os.environ.get("FIELDPOST_LAB_CACHE") or Path.home() / ".cache/fieldpost-lab")
    key = hashlib.sha256(f"{SUITE} {PACKAGES}".encode()).hexdigest()[:12]
    base = cache / "nspawn" / f"debian-{key}"
    if base.exists():
        return base
    base.parent.mkdir(parents=True, exist_ok=True)
    fresh = base.with_suffix(".new")
    shutil.rmtree(fresh, ignore_errors=True)
    excluded = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in LEFT_OUT]
    options = ["--quiet", "--variant=minbase", f"--include={PACKAGES}", *excluded]
    command = ["mmdebstrap", *options, SUITE, str(fresh), *mirror()]
    subprocess.run(command, check=True, timeout=MAKE_S)
    (fresh / "etc/machine-id").write_text("")
    return fresh.rename(base)


def mirror() -> list[str]:
    """Where this machine takes that release from, if it does."""
    asked = ["apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME) $(COMPONENT)"]
    lines = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.splitlines()
    places = [line.split()[0] for line in lines if line.split()[1:] == [SUITE, "main"]]
    return [f"deb {places[0]} {SUITE} main"] if places else []
