"""What machine this is, and the commands of its system: apt, systemd, udev, users. Writes no file itself."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from tools.installer.errors import InstallError
from tools.installer.tree import Tree

MOST_S = 1800  # apt on a slow card
SPACE_MB = 900  # a release with its environment, and what is unpacked on the way
BOOT_FOLDERS = ("/boot/firmware", "/boot")
BOARDS = r"Raspberry Pi (?:(3|4|5)\b|(400|500)\b|(Zero 2)\b|(?:Compute Module )(3|4|5)\b)"
NO_DEVICE_PORT = r"Raspberry Pi 3 Model B|Compute Module 3"  # their one port has a hub behind it


class System:
    """The machine that is installed on. In a folder that stands for one (not `live`) few commands are run."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.live = tree.root == Path("/")
        self.booted = self.live and Path("/run/systemd/system").is_dir()

    # --- what it is

    def board(self) -> str:
        """The model of the Pi; empty on any other machine."""
        model = (self.tree.read("/proc/device-tree/model") or b"").rstrip(b"\0").decode(errors="replace")
        return model if model.startswith("Raspberry Pi") else ""

    def distribution(self) -> tuple[str, str]:
        """Name and number of the Debian, as it says itself."""
        text = (self.tree.read("/etc/os-release") or b"").decode(errors="replace")
        said = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', text, re.MULTILINE))
        like = f"{said.get('ID', '')} {said.get('ID_LIKE', '')}".split()
        name = said.get("PRETTY_NAME") or said.get("ID") or "a system that does not say its name"
        return name, said.get("VERSION_ID", "") if "debian" in like or "raspbian" in like else "-"

    def boot_folder(self) -> str:
        """Where the Pi's firmware reads its `config.txt`."""
        for folder in BOOT_FOLDERS:
            if self.tree.exists(f"{folder}/config.txt"):
                return folder
        raise InstallError(
            f"no config.txt in {' or '.join(BOOT_FOLDERS)}, where the firmware of a {self.board()} reads "
            "it: is "
            "the boot partition mounted (`sudo mount /boot/firmware`)?"
        )

    def overlaid(self) -> bool:
        """Whether the root forgets at power-off what is written to it."""
        mounts = (self.tree.read("/proc/self/mounts") or b"").decode(errors="replace")
        return any(line.split()[1:3] == ["/", "overlay"] for line in mounts.splitlines())

    def boot_id(self) -> str:
        return (self.tree.read("/proc/sys/kernel/random/boot_id") or b"").decode().strip()

    def check(self, removing: bool = False) -> None:
        """Raises InstallError where Fathom cannot be installed."""
        if os.geteuid() != 0:
            raise InstallError(
                f"installing needs the rights of root, and this is user {os.geteuid()}: "
                f"`sudo {sys.argv[0]}{''.join(f' {word}' for word in sys.argv[1:])}`."
            )
        if removing:
            return
        if sysconfig.get_platform().rpartition("-")[2] not in ("x86_64", "aarch64") or sys.maxsize < 2**32:
            raise InstallError(
                f"this system is {platform.machine()}{', 32-bit' if sys.maxsize < 2**32 else ''}, expected a "
                "64-bit one (aubio has packages for those only): put the 64-bit Raspberry Pi OS Lite on "
                "the card."
            )
        name, number = self.distribution()
        if number == "-":
            raise InstallError(
                f"this is {name}, expected Debian 12 or 13 or Raspberry Pi OS of that age: elsewhere `make "
                "play` "
                "runs it from the clone."
            )
        if self.live and not shutil.which("systemctl"):
            raise InstallError(
                "there is no systemd here, and Fathom's services are started by it: `sudo apt install "
                "systemd-sysv`, or play from the clone with `make play`."
            )
        board = self.board()
        if board and not re.match(BOARDS, board):
            self.tree.say(
                f"The board is a {board}, which Fathom has not been written for (3, 4, 5, Zero 2 W and "
                "their modules); it is treated like its nearest relative."
            )
        if board:
            self.boot_folder()
        folder = self.tree.path("/opt")
        free = shutil.disk_usage(folder if folder.is_dir() else self.tree.root).free // 2**20
        if free < SPACE_MB:
            raise InstallError(
                f"{free} MB are free for /opt, expected {SPACE_MB}: make room, then run it again."
            )

    # --- what is told to it

    def run(self, what: str, *command: str | Path, **more: str) -> str:
        """Run a command and return what it printed; InstallError with its last words if it fails."""
        try:
            done = subprocess.run(
                [str(word) for word in command],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=MOST_S,
                env={**os.environ, "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive", **more},
            )
        except FileNotFoundError:
            raise InstallError(
                f"{what}: there is no command {command[0]} here; install the package that has it."
            ) from None
        except subprocess.TimeoutExpired:
            raise InstallError(f"{what}: {command[0]} was not done after {MOST_S // 60} minutes.") from None
        if done.returncode:
            said = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
            raise InstallError(
                f"{what}: {command[0]} said {' / '.join(said[-2:]) or 'nothing'!r}; mend that, then again."
            )
        return done.stdout

    def tell(self, what: str, *command: str | Path, needed: bool = True) -> None:
        """Run a command that changes something; in a dry tree only say it."""
        if self.tree.dry:
            self.tree.say("would run " + " ".join(map(str, command)))
            return
        try:
            self.run(what, *command)
        except InstallError as error:
            if needed:
                raise
            self.tree.say(str(error))

    def systemctl(self, *words: str, needed: bool = True) -> None:
        """Tell systemd; where none runs, only links are made and removed."""
        if self.booted:
            self.tell("systemd", "systemctl", "--quiet", *words, needed=needed)
        elif words[0] in ("enable", "disable"):
            rest = [word for word in words if word != "--now"]
            self.tell("systemd", "systemctl", "--quiet", f"--root={self.tree.root}", *rest, needed=needed)

    def loaded(self, pattern: str) -> list[str]:
        """Names of units that systemd knows just now."""
        if not self.booted:
            return []
        command = ["systemctl", "list-units", "--all", "--plain", "--no-legend", "--no-pager", pattern]
        return [line.split()[0] for line in self.run("systemd", *command).splitlines() if line.strip()]

    def reload_rules(self) -> None:
        """Let udev read its rules anew, and give the devices that are there their rights."""
        if self.live and Path("/run/udev/control").exists():
            self.tell("udev", "udevadm", "control", "--reload", needed=False)
            kinds = [f"--subsystem-match={kind}" for kind in ("gpio", "spidev", "tty", "sound")]
            self.tell("udev", "udevadm", "trigger", "--action=change", "--settle", *kinds, needed=False)

    # --- users and groups

    def ids(self, user: str) -> tuple[int, int] | None:
        """Number of a user and of its group, in that system."""
        for line in (self.tree.read("/etc/passwd") or b"").decode(errors="replace").splitlines():
            if (parts := line.split(":"))[0] == user:
                return int(parts[2]), int(parts[3])
        return None

    def groups(self) -> dict[str, list[str]]:
        """Every group and who is in it."""
        text = (self.tree.read("/etc/group") or b"").decode(errors="replace")
        rows = [line.split(":") for line in text.splitlines() if line.count(":") >= 3]
        return {row[0]: [name for name in row[3].split(",") if name] for row in rows}

    def declare(self, users: str) -> None:
        """Make users and groups, in the language of sysusers.d(5)."""
        if self.tree.dry:
            self.tree.say("would declare to systemd-sysusers: " + "; ".join(users.strip().splitlines()))
            return
        declared = self.tree.path("/run/fathom.sysusers")
        declared.parent.mkdir(exist_ok=True)
        declared.write_text(users)
        try:
            self.run("users", "systemd-sysusers", f"--root={self.tree.root}", declared.resolve())
        finally:
            declared.unlink()

    def forget_user(self, user: str) -> None:
        if self.ids(user):
            self.tell("users", "userdel", *self._prefix(), user)

    def forget_group(self, group: str) -> None:
        if group in self.groups():
            self.tell("groups", "groupdel", *self._prefix(), group, needed=False)

    def _prefix(self) -> list[str]:
        return [] if self.live else ["--prefix", str(self.tree.root)]
