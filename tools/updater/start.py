"""Lets the next version play when the box starts, and goes back where it does not come up. Reads no bundle.

`begin` runs before the engine, `prove` beside it. Both run the code of the version that came up last, so a
new one that is broken in any way cannot keep the box from going back. What they do can be cut off anywhere
and done again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from tools.updater import engine
from tools.updater.errors import UpdateError
from tools.updater.releases import Releases
from tools.updater.units import Units

MOST_STARTS = 3  # of a version that never came up: the next one is the version before
STEADY = 20.0  # seconds for which one and the same engine answers
PATIENCE = 120.0  # seconds until it begins to


class Watch:
    """Time, and what the engine at a socket says."""

    def __init__(self, socket: Path) -> None:
        self.socket = socket

    now = staticmethod(time.monotonic)
    sleep = staticmethod(time.sleep)

    def answers(self) -> int | None:
        return engine.answers(self.socket)

    def tell(self, text: str, failed: bool) -> bool:
        return engine.tell(self.socket, "update", text, failed)


def begin(releases: Releases, units: Units) -> str:
    """Switch to the version that waits for this start, and count the starts of one on trial."""
    with releases.held():
        waits, current = releases.of("next"), releases.of("current")
        if waits and waits != current and releases.complete(waits):
            releases.write("starts", "0\n")  # from here on it is a trial
            releases.point("current", waits)
        releases.drop("next")
        if releases.read("starts") is None:
            return ""
        current, proven = releases.of("current"), releases.of("proven")
        if current is None or proven in (None, current):
            releases.drop("starts")
            return ""
        starts = releases.starts + 1
        if starts > MOST_STARTS:
            return go_back(releases, units, f"in {MOST_STARTS} starts")
        releases.write("starts", f"{starts}\n")
        units.settle(releases.folder(current), releases.folder(str(proven)))
        return f"version {current} is on trial (start {starts} of {MOST_STARTS}); {proven} is kept."


def prove(releases: Releases, units: Units, watch: Watch, say: Callable[[str], None]) -> None:
    """Wait whether the version on trial comes up; then it stays, or the one before plays again."""
    current, proven = releases.of("current"), releases.of("proven")
    if releases.read("starts") is not None and current and proven and current != proven:
        came = steady(watch)
        with releases.held(wait=True):
            if came:
                say(keep(releases))
            else:
                say(go_back(releases, units, f"within {PATIENCE:.0f} seconds"))
                units.restart()
    notice = releases.read("notice")
    if notice is not None:
        failed, _, text = notice.partition(" ")
        give_up = watch.now() + PATIENCE
        while not watch.tell(text.strip(), failed == "failed") and watch.now() < give_up:
            watch.sleep(1.0)
        releases.drop("notice")


def steady(watch: Watch) -> bool:
    """Whether one engine answers for long enough, begun in time."""
    give_up = watch.now() + PATIENCE
    last, since = None, watch.now()
    while True:
        found = watch.answers()
        if found is None or found != last:
            last, since = found, watch.now()
            if since >= give_up:
                return False
        elif watch.now() - since >= STEADY:
            return True
        watch.sleep(1.0)


def keep(releases: Releases) -> str:
    """The version on trial came up: the one before is kept, older ones go."""
    current, proven = releases.of("current"), releases.of("proven")
    if current is None or proven in (None, current):
        return "nothing is on trial."
    text = f"version {current} came up and stays; {proven} is kept, for going back."
    releases.point("previous", str(proven))
    releases.point("proven", current)
    releases.write("notice", f"done {text}\n")
    releases.drop("starts")
    releases.prune()
    return text


def go_back(releases: Releases, units: Units, when: str) -> str:
    """Let the version play again that came up last, and remember which one did not."""
    current, proven = releases.of("current"), releases.of("proven")
    if current is None or proven in (None, current) or not releases.complete(str(proven)):
        releases.drop("starts")
        raise UpdateError(f"version {current} did not come up {when}, and none is kept; install again.")
    text = f"version {current} did not come up {when}; {proven} plays again."
    releases.mark(current, failed=True)
    releases.write("notice", f"failed {text}\n")
    units.settle(releases.folder(str(proven)), releases.folder(current))  # first: what failed is known yet
    releases.point("current", str(proven))
    releases.drop("starts")
    return text
