"""Makes the environment that Fathom runs in. Needs Python 3.11 or later and a network; no root, no compiler.

    python3 tools/set_up.py [--venv .venv] [--extra midi] [--extra dev] [--wheels FOLDER]

Packages come as wheels, in the versions of `constraints.txt`. Fathom itself is not built: a `.pth` file
names the clone and `bin/fathom` starts it. (An editable install imports its finder at every start of Python,
which more than doubles the start of a bare one.) What is done is written down last, in one rename; a second
run reads that and ends at once. Only the standard library is used here.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - an older Python reads as far as this and says so
    sys.exit("Fathom needs Python 3.11 or later; this is Python {}.{}.".format(*sys.version_info[:2]))

import argparse
import contextlib
import hashlib
import importlib.util
import json
import os
import re
import shutil
import stat
import sysconfig
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CONSTRAINTS = ROOT / "constraints.txt"
RECORD = "fathom-set-up.json"  # in the environment: what was done there
FORMAT = 1  # of the record, and of what this file puts into an environment

# pip itself: Debian's Python comes without, unless python3-venv is installed, and then with an old one.
PIP = "pip-26.3-py3-none-any.whl"
PIP_SHA256 = "f3b60b20ffaadd4415ed7957212a38ac63fa4c5fa375bd0f4a797777940fad13"
INDEX = "https://pypi.org/simple"
TIMEOUT = 30  # seconds without a byte

PROCESSORS = ("x86_64", "aarch64", "arm64", "AMD64")  # aubio has wheels for these; none is 32-bit
LONGEST_SHEBANG = 127  # bytes that every Linux reads of a script's first line


@dataclass(frozen=True)
class Borrowed:
    """A package without a wheel for every Python, which the distribution may hold ready."""

    extra: str
    requirement: str  # its name on the index
    modules: tuple[str, ...]  # linked from the distribution, these and nothing else
    package: str  # its name in Debian
    library: str | None = None  # pkg-config's name for what a build needs; None: never built here
    build_packages: str = ""


BORROWED = (
    Borrowed("midi", "python-rtmidi", ("rtmidi",), "python3-rtmidi", "alsa", "g++ pkg-config libasound2-dev"),
    Borrowed("pi", "lgpio", ("lgpio", "_lgpio"), "python3-lgpio"),
)


class SetUpError(Exception):
    """One sentence for the reader, and what the tool below said."""

    def __init__(self, sentence: str, said: str = "") -> None:
        super().__init__(sentence)
        self.said = said


# --- what is wanted, and what was done -------------------------------------------------------------------


@dataclass
class Record:
    """What an environment was made for. `state` is `done`, `stopped` (at a safe place) or `working`."""

    state: str
    python: str  # version and platform of the interpreter
    root: str
    venv: str
    needs: str  # fingerprint of requirements and constraints
    extras: list[str]
    without: dict[str, str] = field(default_factory=dict)  # requirement that is not there -> its prospects
    linked: list[str] = field(default_factory=list)  # modules of the distribution


def python_here() -> str:
    return f"{sys.implementation.cache_tag} {sysconfig.get_platform()}"


def requirements(project: dict, extras: Iterable[str]) -> list[str]:
    """The requirements of the project and of its extras, as pyproject.toml has them, without the borrowed.

    >>> optional = {"midi": ["python-rtmidi>=1.5.8"], "dev": ["pytest>=8"]}
    >>> requirements({"dependencies": ["numpy>=2"], "optional-dependencies": optional}, ["midi", "dev"])
    ['numpy>=2', 'pytest>=8']
    """
    optional = project.get("optional-dependencies", {})
    names = {borrowed.requirement for borrowed in BORROWED}
    found = list(project["dependencies"])
    for extra in extras:
        if extra not in optional:
            known = ", ".join(sorted(optional))
            raise SetUpError(f"extra {extra!r} is not known; pyproject.toml has {known}.")
        found += optional[extra]
    return [wanted for wanted in found if re.split(r"[^\w.-]", wanted, maxsplit=1)[0].lower() not in names]


def fingerprint(project: dict, constraints: bytes) -> str:
    """Changes with every requirement and pin, and with nothing else (not with a linter's setting)."""
    wanted = [FORMAT, project["dependencies"], project.get("optional-dependencies", {})]
    return hashlib.sha256(json.dumps(wanted).encode() + constraints).hexdigest()


def decide(record: Record | None, wanted: Record) -> str:
    """`nothing` to do, `update` in place, or make it `anew`.

    A run that was cut off (killed, power gone) may have left half-written files, and is made anew; one that
    stopped in good order goes on where it was. `without` and `linked` of `wanted` say how things stand now.
    """
    if record is None or record.state == "working":
        return "anew"
    if (record.python, record.root, record.venv) != (wanted.python, wanted.root, wanted.venv):
        return "anew"  # its scripts and links point elsewhere
    if record.state != "done" or record.needs != wanted.needs or not set(wanted.extras) <= set(record.extras):
        return "update"
    return "nothing" if (record.without, record.linked) == (wanted.without, wanted.linked) else "update"


def read_record(venv: Path) -> Record | None:
    try:
        return Record(**json.loads((venv / RECORD).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def write_record(venv: Path, record: Record) -> None:
    new = venv / (RECORD + ".new")
    with new.open("w") as file:
        json.dump(asdict(record), file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    new.replace(venv / RECORD)


# --- the environment -------------------------------------------------------------------------------------


class Environment:
    """A virtual environment in a folder of the clone, and the pip inside it."""

    def __init__(self, venv: Path) -> None:
        self.venv = venv
        self.python = venv / "bin" / "python"
        self.packages = venv / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
        self.scratch = venv / ".tmp"  # not /tmp: on a Pi that is memory

    def make(self, working: Record) -> None:
        """An empty environment with pip in it, in place of what an earlier run made here."""
        import venv

        if self.venv.exists():
            held = list(self.venv.iterdir())
            if held and not any(path.name.startswith(RECORD) for path in held):
                raise SetUpError(
                    f"{shown(self.venv)} was not made by Fathom's set-up: move it away, or choose another "
                    "folder (`make play VENV=.venv-fathom`)."
                )
            for path in held:  # the folder itself may be a link or a mount, and the record says whose it is
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                elif path.name != RECORD:
                    path.unlink()
        self.venv.mkdir(parents=True, exist_ok=True)
        write_record(self.venv, working)
        venv.EnvBuilder(symlinks=True, prompt="fathom").create(self.venv)
        try:
            self._unpack_pip()
        except SetUpError:
            if importlib.util.find_spec("ensurepip") is None:
                raise
            status, said = self.run([self.python, "-I", "-m", "ensurepip"])  # older, but here; knows pip.conf
            if status:
                raise SetUpError("pip could not be put into the environment.", said) from None

    def _unpack_pip(self) -> None:
        import io
        import zipfile

        wheel = download(PIP, PIP_SHA256)
        with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
            archive.extractall(self.packages)

    def run(self, command: list, heard: Callable[[str], None] | None = None, **more: str) -> tuple[int, str]:
        """Run a command and return its exit status and all it said.

        `heard` gets every line as it comes; `more` goes into the command's surroundings.
        """
        import subprocess

        self.scratch.mkdir(exist_ok=True)
        own = ("PYTHONHOME", "PYTHONPATH", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_REQUIRE_HASHES")
        around = {name: value for name, value in os.environ.items() if name not in own}
        around |= {"TMPDIR": str(self.scratch), "PIP_USER": "0", "PIP_NO_INPUT": "1", "LC_ALL": "C.UTF-8"}
        lines = []
        with subprocess.Popen(
            [str(word) for word in command],
            cwd=ROOT,
            env=around | more,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                lines.append(line)
                if heard:
                    heard(line)
        return process.returncode, "".join(lines)

    def pip(self, *words: str | Path, **more: str) -> tuple[int, str]:
        command = [self.python, "-I", "-m", "pip", "install", "-c", CONSTRAINTS, "--progress-bar=off"]
        command += ["--disable-pip-version-check", "--no-color", "--no-warn-script-location", *words]
        try:
            return self.run(command, tick, **more)
        finally:
            tick("")

    def install(self, wanted: list[str]) -> None:
        status, said = self.pip("--only-binary=:all:", *wanted)
        if status:
            raise SetUpError(reason(said), said)

    def link_clone(self) -> None:
        """Let the environment's Python find the rooms, and make the `fathom` command."""
        (self.packages / "fathom.pth").write_text(f"{ROOT}\n")
        script = self.venv / "bin" / "fathom"
        script.unlink(missing_ok=True)
        script.write_text(command_script(self.python, ROOT))
        script.chmod(script.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)

    # --- the borrowed

    def has(self, borrowed: Borrowed) -> bool:
        """Whether it was installed here as a package, not linked."""
        name = borrowed.requirement.replace("-", "_")
        return any(self.packages.glob(f"{name}-*.dist-info/RECORD"))

    def unlink(self, borrowed: Borrowed) -> None:
        for path in self.packages.iterdir() if self.packages.exists() else ():
            if path.is_symlink() and path.name.split(".")[0] in borrowed.modules:
                path.unlink()

    def borrow(self, borrowed: Borrowed) -> bool:
        """Get one borrowed package, or say why there is no way to it.

        First a wheel; then the distribution's own, made visible by links to its modules alone (all of the
        distribution's packages would come with --system-site-packages, and shadow the pins); then a build,
        where everything that a build needs is there.
        """
        self.unlink(borrowed)
        name = borrowed.requirement
        status, said = self.pip("--only-binary=:all:", name)
        if not status:
            return True
        paths = [] if self.has(borrowed) else distribution_modules(borrowed)
        if not paths and (not no_wheel_of(said) or in_trouble(said)):
            raise SetUpError(reason(said), said)
        if paths:
            status, _ = self.run([sys.executable, "-I", "-c", "import " + ", ".join(borrowed.modules)])
            if not status:
                for path in paths:
                    (self.packages / path.name).symlink_to(path)
                say(f"  {name}: linked from {paths[0].parent}")
                return True
        why = missing(borrowed)
        if not why:
            say(f"  {name}: no wheel for this Python, so it is built")
            status, said = self.pip(f"--no-binary={name}", name, PIP_BUILD_CONSTRAINT=CONSTRAINTS.as_uri())
            if not status:
                return True
            (self.venv / "build.log").write_text(said)
            why = f"its build failed (see {shown(self.venv / 'build.log')})"
        say(f"  {name} is left out; the rest runs without it: {why}.")
        return False


def distribution_modules(borrowed: Borrowed) -> list[Path]:
    """Where the base interpreter finds the modules of a package; empty if one is not there.

    Run it in the base interpreter, never in an environment.
    """
    paths = []
    for module in borrowed.modules:
        spec = importlib.util.find_spec(module)
        if spec is None or spec.origin is None:
            return []
        origin = Path(spec.origin)
        paths.append(origin.parent if spec.submodule_search_locations else origin)
    return paths


def missing(borrowed: Borrowed) -> str:
    """Why it cannot be built here, with what to do; empty if it can."""
    import subprocess

    debians = sys.base_prefix == "/usr"
    why = f"it has no wheel for Python {sys.version_info[0]}.{sys.version_info[1]}"
    remedy = f"`sudo apt install {borrowed.package}`, then the same command again"
    if borrowed.library is None:
        return f"{why}; {remedy}"
    wanting = []
    if not shutil.which(os.environ.get("CXX", "c++").split()[0]):
        wanting.append("a C++ compiler")
    pkg_config = shutil.which("pkg-config")
    if not pkg_config or subprocess.run([pkg_config, "--exists", borrowed.library], check=False).returncode:
        wanting.append(f"the headers of {borrowed.library.upper()}")
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        wanting.append("the headers of Python")
    if not wanting:
        return ""
    if not debians:
        remedy = f"`sudo apt install {borrowed.build_packages}`, then the same command again"
    return f"{why}, and a build needs {listed(wanting)}; {remedy}"


def prospects(borrowed: Borrowed) -> str:
    """What stands in the way of a borrowed package, or where it could be had; tried again when it changes."""
    return " ".join(map(str, distribution_modules(borrowed))) or missing(borrowed) or "it can be built"


def command_script(python: Path, root: Path) -> str:
    """The text of `bin/fathom`. The clone comes first in the path, before the folder of the script."""
    line = f"#!{python}\n"
    if " " in str(python) or len(line.encode()) > LONGEST_SHEBANG:
        line = f"#!/bin/sh\n'''exec' \"{python}\" \"$0\" \"$@\"\n' '''\n"
    return f"""{line}import sys

sys.path[0] = {str(root)!r}
from fathom import main

if __name__ == "__main__":
    sys.exit(main())
"""


# --- the network -----------------------------------------------------------------------------------------


def download(wheel: str, sha256: str) -> bytes:
    """A wheel from the package index (PIP_INDEX_URL, else PyPI), refused unless its SHA-256 is the one given.

    urllib takes proxies from the environment; a certificate file is taken from PIP_CERT or SSL_CERT_FILE.
    """
    import html
    import ssl
    import urllib.error
    import urllib.parse
    import urllib.request

    kept = Path(os.environ.get("PIP_FIND_LINKS", ""), wheel)
    if "PIP_NO_INDEX" in os.environ and hashlib.sha256(kept.read_bytes()).hexdigest() == sha256:
        return kept.read_bytes()
    name = wheel.split("-")[0]
    page = os.environ.get("PIP_INDEX_URL", INDEX).rstrip("/") + f"/{name}/"
    try:
        secure = ssl.create_default_context(cafile=os.environ.get("PIP_CERT") or None)
        with urllib.request.urlopen(page, timeout=TIMEOUT, context=secure) as answer:
            found = re.search(rf'href="([^"]*/{re.escape(wheel)}[^"]*)"', answer.read().decode())
        if not found:
            raise SetUpError(f"{page} does not list {wheel}; is it a package index?")
        link = urllib.parse.urljoin(page, html.unescape(found[1]))
        with urllib.request.urlopen(link, timeout=TIMEOUT, context=secure) as answer:
            data = answer.read()
    except (OSError, ValueError) as error:  # URLError, timeouts and certificates are OSErrors
        said = f"{page}: {error}"
        raise SetUpError(reason(said), said) from None
    if hashlib.sha256(data).hexdigest() != sha256:
        raise SetUpError(f"{wheel} came damaged or altered (its SHA-256 is not the one expected); try again.")
    return data


TROUBLES = (  # what pip and Python say -> what it means; the first that fits
    (
        r"No space left on device|Errno 28|Disk quota exceeded",
        "the disk is full: free some 600 MB and run it again.",
    ),
    (
        r"(?i)certificate.verify.failed",
        "the package index's certificate was not accepted: is the clock right (`date`), and is "
        "`ca-certificates` installed? Behind a proxy with its own, name its file in PIP_CERT.",
    ),
    (
        r"407 Proxy|ProxyError|Tunnel connection failed",
        "the proxy refuses the connection: look at https_proxy.",
    ),
    (
        r"Temporary failure in name resolution|Name or service not known|No address associated"
        r"|NameResolutionError|NewConnectionError|Network is unreachable|No route to host"
        r"|Connection refused|Connection reset|Connection broken|RemoteDisconnected|IncompleteRead"
        r"|timed out|Max retries exceeded",
        "the package index cannot be reached: is there a network? Run it again when there is.",
    ),
    (
        r"Permission denied|Errno 13|Read-only file system",
        "the folder of the clone cannot be written to.",
    ),
    (r"HTTP Error 5\d\d|50\d Server Error", "the package index has trouble; try again later."),
    (r"DO NOT MATCH THE HASHES", "a package came damaged; try again (`pip cache purge` if it stays)."),
)


def in_trouble(said: str) -> bool:
    return any(re.search(pattern, said) for pattern, _ in TROUBLES)


def no_wheel_of(said: str) -> str:
    """The package that pip found no wheel of, by an old pip's words or a new one's; else empty."""
    found = re.search(r"(?i)no matching distributions? (?:found for|available for [\w ]+:)\s+(\S+)", said)
    return found[1] if found else ""


def reason(said: str) -> str:
    """One sentence for what pip said.

    >>> reason("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device")
    'the disk is full: free some 600 MB and run it again.'
    """
    for pattern, sentence in TROUBLES:
        if re.search(pattern, said):
            return sentence
    if name := no_wheel_of(said):
        version = ".".join(map(str, sys.version_info[:2]))
        return f"the package index has no wheel of {name} for Python {version} on {sysconfig.get_platform()}."
    return "pip failed; what it said is below."


# --- words -----------------------------------------------------------------------------------------------


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def listed(words: list[str]) -> str:
    """
    >>> listed(["a", "b", "c"])
    'a, b and c'
    """
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def shown(path: Path) -> str:
    """A path as one says it in the clone."""
    return str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)


def tick(line: str) -> None:
    """On a terminal: show what pip is at, in one line that is written over. Elsewhere nothing."""
    if not sys.stderr.isatty():
        return
    if at := re.match(r"\s*Downloading ([^-\s]+)-([^-\s]+)\S*( \([^)]*\))?", line):
        print(f"\r\x1b[K  fetching {at[1]} {at[2]}{at[3] or ''}", end="", file=sys.stderr, flush=True)
    elif line.startswith("Installing collected"):
        print("\r\x1b[K  unpacking", end="", file=sys.stderr, flush=True)
    elif not line:
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)


@contextlib.contextmanager
def one_at_a_time() -> Iterator[None]:
    """Hold the clone, so that two runs do not build one environment together. Ends with the process."""
    import fcntl

    folder = os.open(ROOT, os.O_RDONLY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Waiting for another set-up of this clone.")
            fcntl.flock(folder, fcntl.LOCK_EX)
        except OSError:
            pass  # a file system without locks
        yield
    finally:
        os.close(folder)


# --- the whole -------------------------------------------------------------------------------------------


def set_up(venv: Path, extras: list[str]) -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    requirements(project, extras)  # refuses an unknown extra
    here = Environment(venv)
    record = read_record(venv) if here.python.exists() else None
    needs = fingerprint(project, CONSTRAINTS.read_bytes())
    wanted = Record("done", python_here(), str(ROOT), str(venv), needs, sorted(extras))
    if record is not None:
        wanted.without, wanted.linked = as_things_stand(here, record)
    todo = decide(record, wanted)
    if todo == "nothing":
        return
    if sysconfig.get_platform().rpartition("-")[2] not in PROCESSORS or sys.maxsize < 2**32:
        raise SetUpError(
            f"Fathom needs a 64-bit system (aubio has wheels for those only); this one is "
            f"{sysconfig.get_platform()}{', 32-bit' if sys.maxsize < 2**32 else ''}. "
            "On a Pi 3 or later use the 64-bit Raspberry Pi OS."
        )

    started = time.monotonic()
    if todo == "update" and record is not None:
        wanted.extras = sorted({*record.extras, *extras})
    version = ".".join(map(str, sys.version_info[:3]))
    again = {"anew": "Setting up", "update": "Bringing up to date"}[todo]
    say(f"{again} {shown(venv)} for {listed(['playing', *sorted(wanted.extras)])} (Python {version}).")
    working = Record(**{**asdict(wanted), "state": "working"})
    if todo == "anew":
        here.make(working)
    stopped = Record(**{**asdict(wanted), "state": "stopped"})
    write_record(venv, working)
    try:
        packages = requirements(project, wanted.extras)
        say("  packages" + (": some 100 MB to fetch, the first time" if todo == "anew" else ""))
        here.install(packages)
        wanted.without, wanted.linked = {}, []
        for borrowed in BORROWED:
            if borrowed.extra in wanted.extras and not here.borrow(borrowed):
                wanted.without[borrowed.requirement] = prospects(borrowed)
        here.link_clone()
        wanted.linked = links(here)
    except (SetUpError, KeyboardInterrupt):
        with contextlib.suppress(OSError):
            write_record(venv, stopped)
        raise
    shutil.rmtree(here.scratch, ignore_errors=True)
    os.sync()  # before it is called done: a power cut must not find empty files
    write_record(venv, wanted)
    say(f"Ready after {time.monotonic() - started:.0f} s.")


def links(here: Environment) -> list[str]:
    """The links in the environment that lead somewhere."""
    return sorted(path.name for path in here.packages.iterdir() if path.is_symlink() and path.exists())


def as_things_stand(here: Environment, record: Record) -> tuple[dict[str, str], list[str]]:
    """What is missing and what is linked now, for comparison with the record: apt may have been at work."""
    left_out = [borrowed for borrowed in BORROWED if borrowed.requirement in record.without]
    return {borrowed.requirement: prospects(borrowed) for borrowed in left_out}, links(here)


def main(arguments: list[str] | None = None) -> int:
    words = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    words.add_argument("--venv", type=Path, default=Path(".venv"), help="folder of the environment (.venv)")
    words.add_argument("--extra", action="append", default=[], help="of pyproject.toml; may be repeated")
    words.add_argument("--wheels", type=Path, help="a folder that holds all wheels: no network is used")
    given = words.parse_args(arguments)
    if sys.prefix != sys.base_prefix:  # inside an environment: go on with the Python that it was made from
        base = sys._base_executable  # type: ignore[attr-defined]
        os.execv(base, [base, "-I", __file__, *(sys.argv[1:] if arguments is None else arguments)])
    try:
        if given.wheels:
            os.environ |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": os.path.abspath(given.wheels)}
        with one_at_a_time():
            set_up(Path(os.path.abspath(given.venv)), given.extra)
    except KeyboardInterrupt:
        say("\nInterrupted; the same command goes on from here.")
        return 130
    except SetUpError as error:
        say(f"Set-up: {error}")
        if error.said:
            say("\n" + "".join(f"    {line}\n" for line in error.said.strip().splitlines()[-40:]))
        return 1
    except ModuleNotFoundError as error:
        say(f"Set-up: this Python has no module {error.name}: `sudo apt install python3 python3-venv`.")
        return 1
    except OSError as error:
        trouble = reason(str(error)) if in_trouble(str(error)) else str(error)
        say(f"Set-up: {f'{error.filename}: ' if error.filename else ''}{trouble}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
