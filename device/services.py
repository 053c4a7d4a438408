"""An engine among services: what it does about the state, and says of itself, where systemd runs the others.

Starts nothing and plays nothing. Without them `device.play` starts a keeper of its own.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from device.box import Box
from device.keeper import kept, save
from device.locks import alone
from device.memory import digest, pack
from device.notify import Notify
from device.slack import Job

KEEPER_AWAY_NS = 10_000_000_000  # so long after the keeper asked last it is missed
PATIENCE_S = 5.0  # how long the keeper's hand at the files is waited for
NO_KEEPER = (
    "The keeper's service does not run, so what is changed by hand is kept only when the box ends as it "
    "should. `systemctl status fathom-keeper` says why."
)


@contextlib.contextmanager
def remembering(box: Box, file: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Miss the keeper where it does not ask; write in the end what is to be remembered.

    The keeper asks once a second, so what was changed in the last one may be known to the engine alone. It
    writes that before its socket closes: what is later wins.
    """
    box.engine.slack.jobs.append(Job(lambda: _miss(box), every_ms=1000, worst_us=100))
    try:
        yield
    finally:
        memory = box.memory()
        if box.touched:  # the music is over, the disk may take long
            with alone(file.parent, PATIENCE_S):
                try:
                    if kept(file) != digest(memory):
                        save(file, pack(memory))
                except OSError as error:
                    say(f"{file}: {error.strerror}. What was changed by hand is not remembered.")


@contextlib.contextmanager
def supervised(box: Box) -> Iterator[None]:
    """Let systemd know how the engine is, if it has asked to; from its own loop, and from nowhere else."""
    notify = Notify(os.environ, box.engine.time.now, lambda: status_of(box))
    if notify.asked:
        box.engine.slack.jobs.append(Job(notify.attend, every_ms=100, worst_us=300))
    try:
        yield
    finally:
        notify.stopping()
        notify.close()


def status_of(box: Box) -> str:
    """The line that `systemctl status fathom` shows."""
    player, health = box.player, box.engine.health
    does = "playing" if player.playing else "waiting" if box.sync.awaited or box.sync.held else "stopped"
    lost = f"{health.dropped} hits dropped" if health.dropped else "nothing dropped"
    return (
        f"{does}, {player.settings.bpm:.1f} BPM, {' + '.join(player.ensemble.names)}; 99 % of "
        f"{health.writes} writes within {health.below_us(0.99)} us, worst {health.worst_us} us, {lost}"
    )


def _miss(box: Box) -> None:
    away = box.engine.time.now() - box.asked_ns > KEEPER_AWAY_NS
    box.complain("services", NO_KEEPER if away else "")
