"""The words of the updater: `python3 -m tools.updater WORD`. A failure is a sentence and exit status 1.

    stick FOLDER   takes the one bundle on the sticks mounted below FOLDER (fathom-update.service)
    begin          lets a new version play (fathom-release.service)
    prove          sees whether it comes up (fathom-proof.service)
install FILE   takes a bundle that lies anywhere; --anyway: also an older one, or one that did not come up
back           lets the version before play from the next start on
list           what is there
adopt VERSION  calls the folder of a version whole and lets it play: for the installer
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tools.updater import engine
from tools.updater.errors import UpdateError
from tools.updater.install import find, install, shown
from tools.updater.releases import LINKS, ROOT, Releases
from tools.updater.signature import SIGNERS
from tools.updater.start import Watch, begin, prove
from tools.updater.units import SYSTEM, Units

DONE, FAILED = 0, 1


def main(arguments: list[str] | None = None) -> int:
    words = _parser().parse_args(arguments)
    releases = Releases(words.root)
    try:
        match words.word:
            case "stick" | "install":
                return _take(words, releases)
            case "begin":
                _say(begin(releases, Units(words.units)))
            case "prove":
                prove(releases, Units(words.units), Watch(words.socket), _say)
            case "back":
                _say(_back(releases))
            case "adopt":
                with releases.held():
                    releases.adopt(words.what)
            case _:
                print("\n".join(f"{name:9} {releases.of(name) or '-'}" for name in LINKS))
    except UpdateError as error:
        _say(str(error))
        return FAILED
    except OSError as error:
        _say(": ".join(str(part) for part in (error.filename, error.strerror or error) if part))
        return FAILED
    return DONE


def _take(words: argparse.Namespace, releases: Releases) -> int:
    """Install a bundle, and tell journal and box what came of it."""
    name, failed = "update", True
    try:
        path = find(Path(words.what)) if words.word == "stick" else Path(words.what)
        name = shown(path.name)
        text = install(path, releases, words.signers, lambda: engine.notify("READY=1"), words.anyway)
        failed = False
    except UpdateError as error:
        text = str(error)
    except OSError as error:
        text = f"{error.strerror or error}; nothing was changed."
    _say(f"{name}: {text}")
    engine.tell(words.socket, name, text if text.startswith("version") else f"update: {text}", failed)
    return FAILED if failed else DONE


def _back(releases: Releases) -> str:
    with releases.held():
        current, before = releases.of("current"), releases.of("previous")
        if before is None or not releases.complete(before):
            raise UpdateError("there is no version before this one to go back to.")
        releases.mark(before, failed=False)
        releases.point("next", before)
        return f"version {before} comes with the next start; {current} plays on until then."


def _say(text: str) -> None:
    if text:
        print(text, file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    as_it_is = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        "python3 -m tools.updater", description=__doc__, formatter_class=as_it_is
    )
    parser.add_argument("word", choices=["stick", "begin", "prove", "install", "back", "list", "adopt"])
    parser.add_argument("what", nargs="?", default="")
    parser.add_argument("--anyway", action="store_true")
    parser.add_argument("--root", type=Path, default=ROOT)
    parser.add_argument("--signers", type=Path, default=SIGNERS)
    parser.add_argument("--socket", type=Path, default=engine.SOCKET)
    parser.add_argument("--units", type=Path, default=SYSTEM)
    return parser
