"""The disk and the kernel of a small aarch64 machine: Debian, and fieldpost installed as it says.

`scripts/install` runs in it under emulation, from a clone of HEAD: what it takes on a Raspberry Pi
is what is tested. Six minutes and 140 MB of downloads, once; then kept in `FIELDPOST_LAB_CACHE`
until the lock file, the installer or this module change. The agent's own code is put in anew by
whoever starts a guest.

Nothing is mounted but the kernel's handler for foreign programs (binfmt_misc), which goes again.
"""

import contextlib
import fcntl
import gzip
import hashlib
import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.lab.systemd.container import CERTIFICATES, CLEAN, LEFT_OUT, SUITE, mirror

ROOT: Final = Path(__file__).parents[3]
HERE: Final = Path(__file__).parent
PACKAGES: Final = (
    "systemd,systemd-sysv,udev,dbus,kmod,git,python3,python3-venv,busybox-static,strace"
)
TOOLS: Final = {
    "qemu-system-aarch64": "qemu-system-arm",
    "qemu-img": "qemu-utils",
    "qemu-aarch64-static": "qemu-user-static",
    "update-binfmts": "binfmt-support",
    "arch-test": "arch-test",
    "mmdebstrap": "mmdebstrap",
    "mke2fs": "e2fsprogs",
    "depmod": "kmod",
    "cpio": "cpio",
    "socat": "socat",
}
EARLY: Final = ("virtio_pci", "virtio_blk", "ext4")  # to mount the disk with
MODULES: Final = (
    *EARLY, "virtio_console", "virtio_net", "9p", "9pnet_virtio", "xhci_pci", "ftdi_sio",
)  # fmt: skip
DISK: Final = "1800M"  # sparse
BUILD_S: Final = 1200.0
FOREIGN: Final = Path("/proc/sys/fs/binfmt_misc")

# the only thing that starts besides Debian's own: who carries out what a test wants
UNITS: Final = {
    "lab.service": """[Unit]
DefaultDependencies=no
Wants=dev-virtio\\x2dports-lab.ctl.device
After=dev-virtio\\x2dports-lab.ctl.device sysinit.target
[Service]
ExecStart=/usr/bin/python3 -S /usr/local/sbin/inside.py
Restart=always
""",
    # a destination on loopback that is outside, where a power cut does not reach
    "cloud.socket": "[Socket]\nListenStream=127.0.0.1:8081\n",
    "cloud.service": """[Service]
ExecStartPre=-/bin/busybox ip link set eth0 up
ExecStartPre=-/bin/busybox ip addr add 10.0.2.15/24 dev eth0
ExecStart=/lib/systemd/systemd-socket-proxyd 10.0.2.100:8081
""",
}
WANTED: Final = {"lab.service": "multi-user.target.wants", "cloud.socket": "sockets.target.wants"}
MASKED: Final = (
    "apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer",
    "e2scrub_reap.service", "fstrim.timer", "getty.target", "systemd-timesyncd.service",
    "modprobe@drm.service", "modprobe@efi_pstore.service", "modprobe@fuse.service",
)  # fmt: skip
FSTAB: Final = """/dev/vda / ext4 defaults,noatime 0 1
host /host 9p trans=virtio,version=9p2000.L,msize=262144,noauto 0 0
"""
INIT: Final = """#!/bin/busybox sh
b=/bin/busybox
$b mount -t proc p /proc; $b mount -t sysfs s /sys; $b mount -t devtmpfs d /dev
for f in /m/*.ko; do $b insmod $f; done
i=0; while ! [ -b /dev/vda ] && [ $i -lt 200 ]; do $b sleep 0.05; i=$((i+1)); done
$b mount -t ext4 -o noatime /dev/vda /new || exec $b sh
for d in proc sys dev; do $b mount --move /$d /new/$d; done
exec $b switch_root /new /sbin/init
"""


def missing() -> str | None:
    """What this machine lacks, or None."""
    if os.geteuid() != 0:
        return "needs root"
    absent = " ".join(package for tool, package in TOOLS.items() if not shutil.which(tool))
    return f"needs: apt-get install {absent}" if absent else None


def images() -> Path:
    """The folder with `vmlinuz`, `initrd.gz` and `base.ext4`; made where it is missing."""
    cache = Path(os.environ.get("FIELDPOST_LAB_CACHE") or Path.home() / ".cache/fieldpost-lab")
    made = cache / "guest" / _key()
    made.parent.mkdir(parents=True, exist_ok=True)
    with (made.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            for older in made.parent.glob("*/base.ext4"):
                shutil.rmtree(older.parent)
            _build(made)
    return made


def _key() -> str:
    scripts = ROOT / "scripts"
    inputs = (
        scripts / "requirements.lock",
        scripts / "install",
        Path(__file__),
        HERE / "inside.py",
    )
    content = b"".join(path.read_bytes() for path in inputs)
    return hashlib.sha256(content + SUITE.encode()).hexdigest()[:12]


def _build(made: Path) -> None:
    fresh = made.with_suffix(".new")
    _removed(fresh)  # what an interrupted build left
    fresh.mkdir()
    tree = fresh / "tree"
    with _foreign():
        _debian(tree)
        _installed(tree)
    modules = _kernel(tree, fresh)
    _started(tree)
    disk = ["mke2fs", "-q", "-t", "ext4", "-d", str(tree), "-L", "root"]
    subprocess.run([*disk, str(fresh / "base.ext4"), DISK], check=True, capture_output=True)
    _early(tree, modules, fresh)
    _removed(tree)
    fresh.rename(made)


def _removed(folder: Path) -> None:
    """Never what is mounted there: that is this machine's."""
    subprocess.run(["rm", "-rf", "--one-file-system", folder], check=True)


@contextlib.contextmanager
def _foreign() -> Iterator[None]:
    """Programs for aarch64 run here; afterwards everything is as it was."""
    undo = []
    if not (FOREIGN / "register").exists():
        subprocess.run(["mount", "-t", "binfmt_misc", "none", FOREIGN], check=True)
        undo.append(["umount", str(FOREIGN)])
    if not (FOREIGN / "qemu-aarch64").exists():
        subprocess.run(["update-binfmts", "--enable", "qemu-aarch64"], check=True)
        undo.insert(0, ["update-binfmts", "--disable", "qemu-aarch64"])
    try:
        yield
    finally:
        for command in undo:
            subprocess.run(command, check=True)


def _debian(tree: Path) -> None:
    """Debian's packages, and its kernel beside them: not installed, most of it is not needed."""
    name = "apt-cache depends linux-image-arm64 | awk '/Depends:/{print $2; exit}'"
    kernel = f"cd /boot && apt-get download -qq -o APT::Sandbox::User=root $({name})"
    options = [
        *("--quiet", "--variant=minbase", "--architectures=arm64", f"--include={PACKAGES}"),
        *(f"--dpkgopt=path-exclude=/usr/share/{left}/*" for left in LEFT_OUT),
        f"--customize-hook=chroot $1 sh -c {shlex.quote(kernel)}",
    ]
    # in a space of its own: what it mounts is gone with it, however it ends
    command = ["unshare", "--mount", "mmdebstrap", *options, SUITE, str(tree), *mirror()]
    subprocess.run(command, check=True, timeout=BUILD_S)


def _installed(tree: Path) -> None:
    """As a technician does, from a clone, on the processor of a Raspberry Pi."""
    clone = ["git", "clone", "--quiet", "--no-hardlinks", str(ROOT)]
    subprocess.run([*clone, str(tree / "root/fieldpost")], check=True)
    shutil.copy("/etc/resolv.conf", tree / "etc/resolv.conf")
    if (Path("/") / CERTIFICATES).exists():
        (tree / CERTIFICATES).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(Path("/") / CERTIFICATES, tree / CERTIFICATES)
    inside = f"mount --rbind /dev {tree}/dev; exec chroot {tree} /root/fieldpost/scripts/install"
    spaces = ["unshare", "--mount", "--pid", "--fork", f"--mount-proc={tree}/proc"]
    told = {key: value for key, value in os.environ.items() if key.startswith("PIP_")}
    done = subprocess.run(
        [*spaces, "sh", "-c", inside],
        env=CLEAN | told,
        capture_output=True,
        text=True,
        check=False,
        timeout=BUILD_S,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _kernel(tree: Path, fresh: Path) -> Path:
    """The kernel to boot, and the modules that tests use; the folder of all its modules."""
    (package,) = (tree / "boot").glob("linux-image-*.deb")
    subprocess.run(["dpkg-deb", "-x", package, fresh / "kernel"], check=True)
    package.unlink()
    (boots,) = (fresh / "kernel/boot").glob("vmlinuz-*")
    shutil.copy(boots, fresh / "vmlinuz")
    (modules,) = (fresh / "kernel/lib/modules").iterdir()
    subprocess.run(["depmod", "-b", fresh / "kernel", modules.name], check=True)
    into = tree / "lib/modules" / modules.name
    for listed in ("builtin", "builtin.modinfo", "order"):
        _copied(modules / f"modules.{listed}", into / f"modules.{listed}")
    for module in _needed(modules, MODULES):
        _copied(module, into / module.relative_to(modules))
    subprocess.run(["depmod", "-b", tree, modules.name], check=True)
    return modules


def _needed(modules: Path, names: tuple[str, ...]) -> list[Path]:
    """The files of these modules and of what they build on, in the order of loading."""
    found = []
    for name in names:
        root = str(modules.parents[2])
        show = ["modprobe", "-d", root, "-S", modules.name, "--show-depends", name]
        told = subprocess.run(show, check=True, capture_output=True, text=True).stdout
        lines = [line.split() for line in told.splitlines()]
        found += [Path(line[1]) for line in lines if line[0] == "insmod"]
    return list(dict.fromkeys(found))


def _copied(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, target)


def _started(tree: Path) -> None:
    """What runs after a boot, and what does not."""
    units = tree / "etc/systemd/system"
    for name, text in UNITS.items():
        (units / name).write_text(text)
    for name, folder in WANTED.items():
        (units / folder).mkdir(exist_ok=True)
        (units / folder / name).symlink_to(f"../{name}")
    for name in MASKED:
        (units / name).unlink(missing_ok=True)
        (units / name).symlink_to("/dev/null")
    (units / "default.target").symlink_to("/lib/systemd/system/multi-user.target")
    _copied(HERE / "inside.py", tree / "usr/local/sbin/inside.py")
    (tree / "host").mkdir()
    (tree / "etc/fstab").write_text(FSTAB)
    (tree / "etc/modules-load.d/lab.conf").write_text("virtio_console\nvirtio_net\n9pnet_virtio\n")
    (tree / "etc/machine-id").write_text("")


def _early(tree: Path, modules: Path, fresh: Path) -> None:
    """The smallest first file system that can mount the disk."""
    root = fresh / "initramfs"
    for folder in ("bin", "proc", "sys", "dev", "new", "m"):
        (root / folder).mkdir(parents=True)
    shutil.copy(tree / "bin/busybox", root / "bin/busybox")
    for place, module in enumerate(_needed(modules, EARLY)):
        shutil.copy(module, root / "m" / f"{place:02d}-{module.name}")
    (root / "init").write_text(INIT)
    (root / "init").chmod(0o755)
    names = "\n".join(str(path.relative_to(root)) for path in root.rglob("*"))
    packed = subprocess.run(
        ["cpio", "-o", "-H", "newc", "--quiet"],
        cwd=root,
        input=names.encode(),
        check=True,
        capture_output=True,
    )
    (fresh / "initrd.gz").write_bytes(gzip.compress(packed.stdout, 1))
    shutil.rmtree(root)
    shutil.rmtree(fresh / "kernel")
