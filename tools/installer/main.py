"""The order of an installation and of its undoing, and the words of `systemd/install`. Takes no step."""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tools.installer import packages, program, record, services, storage
from tools.installer.errors import InstallError
from tools.installer.firmware import READONLY, Firmware
from tools.installer.record import Record
from tools.installer.system import NO_DEVICE_PORT, System
from tools.installer.tree import Tree

SOURCE = Path(__file__).resolve().parents[2]
CHOICES = {"din": True, "gadget": False, "readonly": False}  # and what they are where nobody chose
MARK = "  "


def make_parser() -> argparse.ArgumentParser:
    words = argparse.ArgumentParser(
        prog="systemd/install",
        description="Installs Fathom on this Raspberry Pi or Debian, or brings it up to date. Needs root.",
        epilog="What was chosen stays chosen when it runs again. docs/install.md tells the whole story.",
    )
    yes_or_no = argparse.BooleanOptionalAction
    words.add_argument("--list", action="store_true", help="say what would be done, and do nothing")
    words.add_argument("--no-start", action="store_true", help="start nothing, examine nothing")
    words.add_argument(
        "--din", action=yes_or_no, help="the UART is a MIDI port; no serial console (default: yes)"
    )
    words.add_argument(
        "--gadget", action=yes_or_no, help="a USB-MIDI device for a computer, on a Pi 4, 5, Zero 2 W"
    )
    words.add_argument(
        "--readonly", action=yes_or_no, help="never write to the card's root again; /var/lib/fathom is apart"
    )
    words.add_argument(
        "--wheels", type=Path, metavar="FOLDER", help="take Python packages from there, without a network"
    )
    words.add_argument(
        "--uninstall", action="store_true", help=f"take Fathom off; slots and settings go to {services.SAFE}"
    )
    words.add_argument("--purge", action="store_true", help="with --uninstall: slots and settings go as well")
    words.add_argument(
        "--root", type=Path, metavar="FOLDER", help="a folder that stands for the system (for trying)"
    )
    return words


def main(arguments: list[str] | None = None) -> int:
    parser = make_parser()
    words = parser.parse_args(arguments)
    if words.purge and not words.uninstall:
        parser.error("--purge goes with --uninstall")
    os.umask(0o022)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with contextlib.suppress(BrokenPipeError):
            return run(words)
    except InstallError as error:
        say(f"Not {'uninstalled' if words.uninstall else 'installed'}: {error}")
    except KeyboardInterrupt:
        say("\nInterrupted; the same command goes on from here.")
        return 130
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        say(f"Not {'uninstalled' if words.uninstall else 'installed'}: {where}{error.strerror or error}.")
    return 1


def run(words: argparse.Namespace) -> int:
    root = (words.root or Path("/")).resolve()
    if not root.is_dir():
        raise InstallError(f"--root {root}: there is no such folder, expected one that stands for a system.")
    if words.wheels and not words.wheels.is_dir():
        raise InstallError(f"--wheels {words.wheels}: there is no such folder, expected one with wheels.")
    tree = Tree(root, words.list, say)
    system = System(tree)
    if not words.list:
        system.check(removing=words.uninstall)
    with alone(tree):
        held = record.read(tree)
        if words.uninstall:
            return uninstall(system, held, words.purge)
        return install(system, held or Record(), words)


def install(system: System, held: Record, words: argparse.Namespace) -> int:
    tree, board = system.tree, system.board()
    for name, usual in CHOICES.items():
        chosen = getattr(words, name)
        held.choices[name] = held.choices.get(name, usual) if chosen is None else chosen
    din, gadget, readonly = (held.choices[name] for name in CHOICES)
    refuse_what_cannot_be(system, board, gadget, readonly)
    if board:
        Firmware(system, held).check()
    if system.overlaid():
        return leave_readonly(system, held, words.readonly)
    if readonly and READONLY in (tree.read("/proc/cmdline") or b"").decode().split():
        say(
            "The root should be read-only and is not: `sudo update-initramfs -u` puts overlayroot where it "
            "belongs."
        )
    release = program.Program(tree, SOURCE)
    say(f"Fathom {release.name} for {f'a {board}' if board else system.distribution()[0]}.")

    held.note(tree, folders=tree.missing_folders([record.NAME, program.COMMAND, f"{services.STATE}/."]))
    held.save(tree)
    wheels = words.wheels.resolve() if words.wheels else None
    packages.provide(system, held, wheels, readonly)
    services.make_user(system, held)
    release.install(wheels)
    services.make_state(system)
    files = services.wanted_files(SOURCE, own_storage=readonly or bool(held.state))
    services.stop(system)
    release.switch()
    services.lay(system, held, files)
    if readonly:
        storage.provide(system, held)
    if board:
        Firmware(system, held).apply(din, gadget, readonly)
    system.reload_rules()
    system.systemctl("daemon-reload")
    wanted = services.to_enable(files, gadget)
    services.enable(system, held, wanted)
    held.save(tree)
    os.sync()  # before it is called done: a power cut must not find empty rules
    return finish(system, held, wanted, words.no_start)


def refuse_what_cannot_be(system: System, board: str, gadget: bool, readonly: bool) -> None:
    if gadget and re.match(NO_DEVICE_PORT, board):
        raise InstallError(
            f"--gadget: no USB port of a {board} can be a device, expected a Pi 4, 5 or Zero 2 W: install "
            "with --no-gadget."
        )
    if readonly and not board:
        raise InstallError(
            "--readonly: this is no Raspberry Pi, and its boot loader is not known here; docs/install.md "
            "says how "
            "to make a root read-only by hand. Install with --no-readonly."
        )


def finish(system: System, held: Record, wanted: list[str], no_start: bool) -> int:
    """Start it or say what is missing for that."""
    tree = system.tree
    reboot = bool(held.reboot) and held.reboot == system.boot_id()
    if tree.dry:
        say(f"would enable {', '.join(wanted)}, start them and examine the box")
        return 0
    if reboot:
        say(
            "Done. The firmware has new lines to read: `sudo reboot`, and the box plays. `fathom doctor` "
            "examines it."
        )
    elif no_start or not system.booted:
        say("Done; nothing was started.")
    else:
        well = examine()
        system.systemctl(
            "start",
            *[unit for unit in wanted if unit.endswith((".service", ".path", ".mount"))],
            needed=False,
        )
        say("Done; it runs." if well else "Done; it runs as far as it can: see what the doctor found above.")
    if held.packages:
        say(f"{MARK}Packages of Debian that came with it: {' '.join(held.packages)}.")
    return 0


def examine() -> bool:
    """`fathom doctor`, as the box's user and with the box's rights."""
    around = {
        "FATHOM_HOME": services.STATE,
        "FATHOM_SOCKET": "/run/fathom/control.sock",
        "LG_WD": "/run/fathom-doctor",
    }
    command = ["systemd-run", "--quiet", "--pipe", "--wait", "--collect", f"--uid={services.USER}"]
    command += [f"--setenv={name}={value}" for name, value in around.items()]
    for setting in (
        "RuntimeDirectory=fathom-doctor",
        "WorkingDirectory=/run/fathom-doctor",
        "LimitRTPRIO=60",
        "LimitMEMLOCK=infinity",
        f"SupplementaryGroups={' '.join(services.GROUPS)}",
    ):
        command.append(f"--property={setting}")
    command += [program.COMMAND, "doctor", "--panel", "pi"]
    try:
        return subprocess.run(command, stdin=subprocess.DEVNULL, timeout=180).returncode == 0
    except (OSError, subprocess.TimeoutExpired) as error:
        say(f"fathom doctor could not be asked: {error}.")
        return False


def leave_readonly(system: System, held: Record, readonly: bool | None) -> int:
    """On a root that forgets, one thing alone can be done: to leave that from the next start on."""
    if readonly is not False:
        raise InstallError(
            "the root is read-only (what is written to it is forgotten at power-off), expected a writable "
            "one: "
            "`sudo systemd/install --no-readonly`, `sudo reboot`, then this again, with --readonly in the "
            "end."
        )
    if system.board():
        Firmware(system, held).writable_root()
        os.sync()
    say(
        f"The root is writable from the next start on (`{READONLY}` is gone): `sudo reboot`, then run this "
        "again."
    )
    return 0


def uninstall(system: System, held: Record | None, purge: bool) -> int:
    tree = system.tree
    if system.overlaid():
        raise InstallError(
            "the root is read-only, so nothing can be removed from it: `sudo systemd/install --no-readonly`, "
            "`sudo reboot`, then this again."
        )
    if held is None and not tree.exists(program.HOME):
        say("Fathom is not installed here.")
        return 0
    held = held or Record(user=system.ids(services.USER) is not None)
    services.stop(system)
    storage.give_back(system, held)
    services.take_off(system, held)
    system.systemctl("daemon-reload", needed=False)
    system.reload_rules()
    reboot = ""
    if system.board():
        Firmware(system, held).restore()
        reboot = " The firmware reads its old lines from the next start on: `sudo reboot`."
    services.keep_state(tree, purge)
    services.forget_user(system, held)
    if held.packages:
        say(
            "Packages of Debian that came with it are left; if nothing else needs them: sudo apt remove "
            f"{' '.join(held.packages)}"
        )
    program.remove(tree)
    for name in sorted(held.folders, reverse=True):
        tree.remove_if_empty(name)
    tree.remove(record.NAME)  # last: until here the same command goes on from where it was
    for name in sorted(held.folders, reverse=True):
        tree.remove_if_empty(name)
    if not tree.dry:
        os.sync()
        say(f"Fathom is gone.{reboot}")
    return 0


@contextlib.contextmanager
def alone(tree: Tree) -> Iterator[None]:
    """One installation at a time in one system. Ends with the process."""
    folders = [
        path for path in map(tree.path, ("/opt", program.HOME)) if path.is_dir()
    ]  # an update holds the second
    handles = [os.open(folder, os.O_RDONLY) for folder in folders or [tree.root]]
    try:
        try:
            for handle in handles:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InstallError(
                "another installation or update is going on here; wait for its end, then run it again."
            ) from None
        yield
    finally:
        for handle in handles:
            os.close(handle)


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
