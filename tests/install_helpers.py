"""A folder that stands for a Raspberry Pi OS, and a small clone whose installer is the real one."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
CONFIG = "# For more options see the documentation\ndtparam=audio=on\n[cm4]\notg_mode=1\n\n[all]\n"
COMMAND = "console=serial0,115200 console=tty1 root=PARTUUID=0-02 rootfstype=ext4 rootwait\n"

FILES = {
    "etc/os-release": 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nVERSION_ID="12"\nID=debian\n',
    "etc/passwd": "root:x:0:0:root:/root:/bin/bash\nanna:x:1000:1000:Anna,,,:/home/anna:/bin/bash\n",
    "etc/group": "root:x:0:\naudio:x:29:anna\ndialout:x:20:anna\nanna:x:1000:\n",
    "etc/shadow": "root:*:19000:0:99999:7:::\nanna:*:19000:0:99999:7:::\n",
    "etc/gshadow": "root:*::\naudio:*::anna\ndialout:*::anna\nanna:!::\n",
    "etc/login.defs": "USERGROUPS_ENAB yes\n",
    "etc/udev/rules.d/99-com.rules": 'SUBSYSTEM=="gpio", GROUP="gpio"\n',
    "etc/systemd/system/": "",
    "usr/local/bin/": "",
    "usr/sbin/": "",
    "opt/": "",
    "run/": "",
    "var/lib/": "",
    "boot/firmware/config.txt": CONFIG,
    "boot/firmware/cmdline.txt": COMMAND,
    "proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.4\0",
    "proc/sys/kernel/random/boot_id": "11111111-2222\n",
    "proc/self/mounts": "/dev/mmcblk0p2 / ext4 rw 0 0\n",
    "proc/cmdline": COMMAND,
}

# In place of pip and a network: an environment that starts, and says when it was made to the end.
SET_UP = """\
import json, sys, time
from pathlib import Path
venv = Path(sys.argv[sys.argv.index("--venv") + 1])
(venv / "bin").mkdir(parents=True, exist_ok=True)
for number in range(50):
    (venv / f"package-{number}").write_text("x" * 1000)
    time.sleep(0.002)
command = venv / "bin" / "fathom"
command.write_text("#!/bin/sh\\necho fathom 0.1.0\\n")
command.chmod(0o755)
(venv / "fathom-set-up.json").write_text(json.dumps({"state": "done"}))
"""


def make_system(folder, **changed):
    """A system's tree; `changed` replaces files, by names with `__` for the slashes, None for none."""
    for name, usual in FILES.items():
        text = changed.get(name.replace("/", "__").replace(".", "_").replace("-", "_"), usual)
        path = folder / name
        if text is None:
            continue
        (path if name.endswith("/") else path.parent).mkdir(parents=True, exist_ok=True)
        if not name.endswith("/"):
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def make_clone(folder, version="0.1.0"):
    """What an installation reads of a clone: installer, units and pins as they are, of the rest little."""
    for name in ("tools/installer", "systemd", "hw"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("README.md", "LICENSE", "constraints.txt"):
        shutil.copy(ROOT / name, folder / name)
    text = (ROOT / "pyproject.toml").read_text()
    (folder / "pyproject.toml").write_text(text.replace('version = "0.1.0"', f'version = "{version}"', 1))
    for room in ("device", "training", "docs"):
        (folder / room).mkdir()
        (folder / room / "__init__.py").write_text('"""A room."""\n')
    (folder / "fathom.py").write_text('"""The door."""\n')
    (folder / "tools" / "set_up.py").write_text(SET_UP)
    return folder


def command(clone, root, *words):
    around = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "SUDO_USER")}
    return {
        "args": [sys.executable, clone / "systemd" / "install", "--root", root, *words],
        "env": around,
        "text": True,
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
    }


def install(clone, root, *words, expect=0):
    """One real run; what it said."""
    done = subprocess.run(timeout=100, check=False, **command(clone, root, *words))
    assert done.returncode == expect, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


# What every package that makes a user leaves behind: a lock, and the lists of users as they were before.
TRACES = ("etc/.pwd.lock", "etc/passwd-", "etc/group-", "etc/shadow-", "etc/gshadow-")


def seen(root, leave_out=TRACES):
    """Every name of a tree with its rights and what it holds."""
    found = {}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if name in leave_out:
            continue
        kind = path.lstat().st_mode
        if path.is_symlink():
            found[name] = (kind, os.readlink(path))
        else:
            found[name] = (kind, path.read_bytes() if path.is_file() else None)
    return found
