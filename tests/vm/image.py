"""Builds the Debian that the machine boots, and the kernel modules in it; keeps both. Boots nothing.

    PYTHONPATH=tests python3 -m vm.image [bookworm | trixie]

Needs no root: `mmdebstrap` unpacks in a user namespace where it has to, `mke2fs` fills the file system. What
is made is kept under FATHOM_VM_CACHE (~/.cache/fathom/vm) by the hash of all that bears on it: the recipe in
this file and in modules/, and the version of the kernel in the archive.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import inspect
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
MODULES = HERE / "modules"
MIRROR = os.environ.get("FATHOM_VM_MIRROR", "http://deb.debian.org/debian")
KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"
SUITES = {"bookworm": "3.11", "trixie": "3.13"}  # and the Python in each
ARCHITECTURE = "amd64"
DISK_MB = 4096  # sparse: some 900 MB are used
KERNEL_KNOWN_S = 24 * 3600.0  # so long the archive is not asked again for its kernel's version
MOST_S = 1800.0  # for one command: everything is slow on a busy machine

TOOLS = {  # what must be on this machine -> the Debian package that has it
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-img": "qemu-utils",
    "mmdebstrap": "mmdebstrap",
    "mke2fs": "e2fsprogs",
    "apt-get": "apt",
    "mkfs.vfat": "dosfstools",
    "mkfs.exfat": "exfatprogs",
    "mcopy": "mtools",
}
ROOTLESS = {"fakeroot": "fakeroot", "newuidmap": "uidmap"}

# What a Raspberry Pi OS Lite has and the box makes use of, and what lets a story look at it.
PACKAGES = [
    "linux-image-{architecture}",
    "initramfs-tools",
    "zstd",
    "systemd-sysv",
    "udev",
    "dbus",
    "kmod",
    "iproute2",
    "procps",
    "util-linux",
    "e2fsprogs",
    "sudo",
    "python3",
    "python3-venv",
    "python3-pip",
    "python3-rtmidi",
    "ca-certificates",
    "openssh-client",
    "libasound2{t64}",
    "libjack-jackd2-0",
    "libatomic1",
    "alsa-utils",
    "gpiod",
    "usbutils",
    "dosfstools",
    "exfatprogs",
]

# Each takes seconds of an emulated start, and none is a box's.
MASKED = [
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "fstrim.timer",
    "systemd-logind.service",
    "systemd-networkd.service",
    "systemd-networkd.socket",
    "systemd-pcrphase.service",
    "systemd-pcrphase-sysinit.service",
    "systemd-pcrphase-initrd.service",
    "systemd-resolved.service",
    "systemd-timesyncd.service",
    "systemd-update-utmp.service",
    "systemd-update-utmp-runlevel.service",
    "getty@tty1.service",
    "getty-static.service",
    "serial-getty@ttyS0.service",
    "alsa-restore.service",
    "alsa-state.service",
    "systemd-hwdb-update.service",
    "ldconfig.service",
    "modprobe@drm.service",
    "modprobe@efi_pstore.service",
    "modprobe@fuse.service",
]

UNUSED = [
    "kvm_amd",
    "kvm_intel",
    "pcspkr",
    "bochs",
    "i2c_i801",
    "lpc_ich",
    "psmouse",
    "serio_raw",
    "iTCO_wdt",
]

AGENT_UNIT = """\
[Unit]
Description=Does what the host asks
DefaultDependencies=no
RequiresMountsFor=/rig
After=systemd-udevd.service
Before=shutdown.target
Conflicts=shutdown.target
[Service]
ExecStart=/usr/bin/python3 -I -S /rig/agent.py
KillMode=process
Restart=always
RestartSec=0
OOMScoreAdjust=-1000
LimitRTPRIO=99
[Install]
WantedBy=sysinit.target
"""
HARDWARE_UNIT = """\
[Unit]
Description=The hardware of a Pi
DefaultDependencies=no
RequiresMountsFor=/rig
After=systemd-udevd.service systemd-remount-fs.service
Before=sysinit.target systemd-udev-trigger.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh /rig/power_on.sh
[Install]
WantedBy=sysinit.target
"""
FSTAB = """\
/dev/vda / ext4 defaults,noatime,errors=remount-ro 0 1
rig /rig 9p ro,trans=virtio,version=9p2000.L,msize=262144,cache=none 0 0
"""
# As a card for a Pi has them; what an installer edits.
BOOT_CONFIG = "dtparam=audio=on\ncamera_auto_detect=1\narm_64bit=1\n\n[all]\n"
BOOT_COMMAND = "console=serial0,115200 console=tty1 root=PARTUUID=0-02 rootfstype=ext4 rootwait\n"

FILES = {
    "etc/fstab": FSTAB,
    "etc/hostname": "fathom\n",
    "etc/hosts": "127.0.0.1 localhost fathom\n",
    "etc/machine-id": "f0a7f0a7f0a7f0a7f0a7f0a7f0a7f0a7\n",
    "etc/systemd/system/rig-agent.service": AGENT_UNIT,
    "etc/systemd/system/rig-hardware.service": HARDWARE_UNIT,
    "etc/systemd/journald.conf.d/rig.conf": "[Journal]\nStorage=persistent\nSystemMaxUse=64M\n",
    "etc/modprobe.d/rig.conf": "".join(f"blacklist {name}\n" for name in UNUSED),
    "etc/udev/rules.d/10-rig.rules": 'KERNEL=="ttyS1", SYMLINK+="serial0"\n',
    "boot/firmware/config.txt": BOOT_CONFIG,
    "boot/firmware/cmdline.txt": BOOT_COMMAND,
    "rig/": "",
}
BEFORE_KERNEL = {
    "etc/initramfs-tools/conf.d/rig": "MODULES=list\nCOMPRESS=zstd\nCOMPRESSLEVEL=1\nRESUME=none\n",
    "etc/initramfs-tools/modules": "virtio_blk\nvirtio_pci\next4\ncrc32c_generic\n",
}
FINISH = """\
set -eu
depmod "$(basename /usr/lib/modules/*)"
passwd -q -d root
systemctl -q enable rig-agent.service rig-hardware.service
systemctl -q mask {masked}
rm -rf /var/cache/apt/*.bin /var/lib/apt/lists/*
"""


class ImageError(Exception):
    """Why there can be no image here, in one sentence."""


@dataclass(frozen=True)
class Image:
    """A disk to boot from, with its kernel. The disk is never written to: machines lay theirs over it."""

    folder: Path
    suite: str

    @property
    def disk(self) -> Path:
        return self.folder / "root.ext4"

    @property
    def kernel(self) -> Path:
        return self.folder / "vmlinuz"

    @property
    def initrd(self) -> Path:
        return self.folder / "initrd.img"

    @property
    def python(self) -> str:
        """Version of the Python in it, as "3.11"."""
        return SUITES[self.suite]


def cache_folder() -> Path:
    return Path(os.environ.get("FATHOM_VM_CACHE") or Path.home() / ".cache" / "fathom" / "vm")


def lacking() -> str:
    """What this machine lacks, in one sentence that says how to have it; empty where nothing is missing."""
    search = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    wanted = TOOLS if os.geteuid() == 0 else {**TOOLS, **ROOTLESS}
    packages = sorted({package for tool, package in wanted.items() if not shutil.which(tool, path=search)})
    if not packages:
        return ""
    return f"The machine needs Debian packages that are not here: sudo apt-get install {' '.join(packages)}"


def build(suite: str = "bookworm", say: Callable[[str], None] = lambda line: None) -> Image:
    """The image of that suite, from the cache or made now; ImageError where that cannot be."""
    if suite not in SUITES:
        raise ImageError(f"suite {suite!r} is not known; expected {' or '.join(SUITES)}.")
    if missing := lacking():
        raise ImageError(missing)
    cache = cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    with locked(cache / f"{suite}.lock"):
        kernel = _kernel_version(suite, cache)
        modules = _kept(cache / f"modules-{suite}-{_modules_key(suite, kernel)}", suite, say, _make_modules)
        key = _hash(modules.name, *_recipe())
        image = _kept(
            cache / f"image-{suite}-{key}",
            suite,
            say,
            lambda suite, folder: _make_image(suite, folder, modules / "modules.tar"),
        )
        for old in [*cache.glob(f"modules-{suite}-*"), *cache.glob(f"image-{suite}-*")]:
            if old not in (modules, image) and time.time() - old.stat().st_atime > 7 * 24 * 3600:
                shutil.rmtree(old, ignore_errors=True)
    return Image(image, suite)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """One process at a time makes a thing."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def run(*words: str | Path, cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    """Run a command to its end and give what it printed; ImageError with its last words where it fails."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    try:
        done = subprocess.run(
            [*map(str, words)],
            capture_output=True,
            text=True,
            timeout=MOST_S,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "PATH": path, **(env or {})},
        )
    except subprocess.TimeoutExpired:
        raise ImageError(f"{words[0]} did not end in {MOST_S:.0f} s: is there a network?") from None
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()[-12:]
        raise ImageError(f"{words[0]} could not do it (status {done.returncode}):\n" + "\n".join(said))
    return done.stdout


def _kept(folder: Path, suite: str, say: Callable[[str], None], make: Callable[[str, Path], None]) -> Path:
    """That folder of the cache, made first where it is not there: whole or not at all."""
    if not folder.is_dir():
        began = time.monotonic()
        say(f"making {folder.name}")
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix="making-") as work:
            made = Path(work) / "made"
            made.mkdir()
            os.chmod(work, 0o755)
            make(suite, made)
            made.rename(folder)
        say(f"made {folder.name} in {time.monotonic() - began:.0f} s")
    os.utime(folder)
    return folder


def _hash(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]


def _recipe() -> list[str]:
    """All that bears on an image beside its modules."""
    functions = [inspect.getsource(function) for function in (_mmdebstrap, _make_image)]
    return [json.dumps([PACKAGES, MASKED, FILES, BEFORE_KERNEL, FINISH, DISK_MB]), *functions]


def _modules_key(suite: str, kernel: str) -> str:
    return _hash(suite, MIRROR, kernel, *[p.read_text() for p in sorted(MODULES.iterdir()) if p.is_file()])


def _kernel_version(suite: str, cache: Path) -> str:
    """The kernel's version in the archive; the last one known for a day, and where there is no network."""
    known = cache / f"kernel-{suite}.json"
    last = json.loads(known.read_text()) if known.is_file() else None
    if last and last["mirror"] == MIRROR and time.time() - last["asked"] < KERNEL_KNOWN_S:
        return last["version"]
    package = f"linux-image-{ARCHITECTURE}"
    try:
        with tempfile.TemporaryDirectory() as work:
            apt = Path(work)
            for part in ("state/lists/partial", "cache/archives/partial"):
                (apt / part).mkdir(parents=True)
            (apt / "status").touch()
            (apt / "sources.list").write_text(f"deb [signed-by={KEYS}] {MIRROR} {suite} main\n")
            (apt / "apt.conf").write_text(
                f'APT::Architecture "{ARCHITECTURE}";\nAPT::Architectures {{ "{ARCHITECTURE}"; }};\n'
                f'APT::Sandbox::User "";\nAcquire::Languages "none";\nAcquire::Retries "3";\n'
                f'Dir::Etc::sourcelist "{apt}/sources.list";\nDir::Etc::sourceparts "/dev/null";\n'
                f'Dir::State "{apt}/state";\nDir::State::status "{apt}/status";\nDir::Cache "{apt}/cache";\n'
            )
            settings = {"APT_CONFIG": str(apt / "apt.conf")}
            run("apt-get", "-q", "update", env=settings)
            shown = run("apt-cache", "show", "--no-all-versions", package, env=settings)
    except ImageError:
        if last:
            return last["version"]
        raise
    version = next(line for line in shown.splitlines() if line.startswith("Version:")).split()[1]
    known.write_text(json.dumps({"version": version, "asked": time.time(), "mirror": MIRROR}))
    return version


def _tar(path: Path, files: dict[str, str | Path], mode: int = 0o644) -> Path:
    """An archive of files by their place; a name with a slash at its end is a folder."""
    with tarfile.open(path, "w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name.rstrip("/"))
            data = content.read_bytes() if isinstance(content, Path) else content.encode()
            entry.mode, entry.size = mode, len(data)
            if name.endswith("/"):
                entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(entry, io.BytesIO(data))
    return path


def _mmdebstrap(suite: str, target: Path, include: list[str], *words: str, cwd: Path) -> None:
    run(
        "mmdebstrap",
        f"--architectures={ARCHITECTURE}",
        "--components=main",
        f"--include={','.join(include)}",
        '--aptopt=Apt::Install-Recommends "false"',
        '--aptopt=Acquire::Retries "3"',
        *[f"--dpkgopt=path-exclude=/usr/share/{part}/*" for part in ("man", "doc", "locale", "info")],
        *words,
        suite,
        target,
        f"deb [signed-by={KEYS}] {MIRROR} {suite} main",
        cwd=cwd,
    )


def _make_modules(suite: str, folder: Path) -> None:
    """modules.tar: gpio-sim with a Pi's ways, the MCP3008, the identity, for the kernel of that suite."""
    sources: dict[str, str | Path] = {f"build/{p.name}": p for p in MODULES.iterdir() if p.is_file()}
    _tar(folder / "sources.tar", sources)
    _mmdebstrap(
        suite,
        Path("/dev/null"),
        [f"linux-headers-{ARCHITECTURE}", "linux-source", "make", "xz-utils"],
        "--variant=essential",
        "--format=null",
        "--customize-hook=tar-in sources.tar /",
        '--customize-hook=chroot "$1" sh /build/build.sh',
        "--customize-hook=download /build/modules.tar modules.tar",
        cwd=folder,
    )


def _make_image(suite: str, folder: Path, modules: Path) -> None:
    """root.ext4, vmlinuz and initrd.img."""
    early = _tar(folder / "early.tar", dict(BEFORE_KERNEL))
    files = _tar(folder / "files.tar", dict(FILES))
    finish = folder / "finish.sh"
    finish.write_text(FINISH.format(masked=" ".join(MASKED)))
    tar = folder / "root.tar"
    t64 = "" if suite == "bookworm" else "t64"
    _mmdebstrap(
        suite,
        tar,
        [name.format(architecture=ARCHITECTURE, t64=t64) for name in PACKAGES],
        "--variant=minbase",
        "--format=tar",
        f"--essential-hook=tar-in {early.name} /",
        f"--customize-hook=tar-in {files.name} /",
        f"--customize-hook=tar-in {os.path.relpath(modules, folder)} /",
        f"--customize-hook=upload {finish.name} /finish.sh",
        '--customize-hook=chroot "$1" sh /finish.sh; rm "$1/finish.sh"',
        cwd=folder,
    )
    with tarfile.open(tar) as archive:
        for entry in archive:
            name = Path(entry.name).name
            for kind in ("vmlinuz", "initrd.img"):
                if entry.isfile() and Path(entry.name).parent.name == "boot" and name.startswith(kind + "-"):
                    content = archive.extractfile(entry)
                    assert content
                    (folder / kind).write_bytes(content.read())
    # As root the owners are kept as they are; without, fakeroot keeps them in mind.
    fill = (
        "set -e; mkdir tree; tar -C tree --numeric-owner -xpf root.tar; "
        "mke2fs -q -t ext4 -L root -E assume_storage_prezeroed=1,lazy_itable_init=0,lazy_journal_init=0 "
        f"-d tree root.ext4 {DISK_MB}M; chmod -R u+rwX tree; rm -rf tree root.tar"
    )
    run(*(() if os.geteuid() == 0 else ("fakeroot", "--")), "sh", "-c", fill, cwd=folder)
    for left in (early, files, finish):
        left.unlink()


def main(words: list[str]) -> int:
    try:
        image = build(*words, say=lambda line: print(line, file=sys.stderr))
    except ImageError as error:
        print(f"image: {error}", file=sys.stderr)
        return 1
    print(image.folder)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
