"""The hidden verbs: processes that `play` and systemd run beside the engine. Each is a function elsewhere.

What each needs is loaded when it is asked for: a process that silences the gates is to be small and quick.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

DISPLAY, KEEPER, PATCHBAY, LEARNER = "_display", "_keep", "_patchbay", "_learner"
KEEPER_SERVICE, LEARNER_SERVICE, SILENCE = "_keeper-service", "_learner-service", "_silence"
VERBS = (DISPLAY, KEEPER, PATCHBAY, LEARNER, KEEPER_SERVICE, LEARNER_SERVICE, SILENCE)


def run(verb: str, words: Sequence[str], command: Sequence[str], say: Callable[[str], None]) -> int:
    """Run one of `VERBS` and return its exit status. `command` is that of `fathom` itself."""
    learn = [*command, "learn"]
    if verb == DISPLAY:
        from device.terminal import run as show

        show(Path(words[0]))
    elif verb == KEEPER:
        from device.keeper import run as keep

        return keep(*map(Path, words))
    elif verb == PATCHBAY:
        from device.patching import serve as patch

        patch(words[0])
    elif verb == LEARNER:
        from device.learning_run import serve as learn_beside

        learn_beside(learn, Path(words[0]))
    elif verb == KEEPER_SERVICE:
        from device import keeper_service
        from device.notify import Notify

        socket, file = map(Path, words)
        keeper_service.serve(socket, file, Notify(os.environ, time.monotonic_ns))
    elif verb == LEARNER_SERVICE:
        from device import learner_service
        from device.notify import Notify

        slots, socket, control = map(Path, words)
        learner_service.serve(learn, slots, socket, control, Notify(os.environ, time.monotonic_ns))
    elif verb == SILENCE:
        from device.silence import silence

        for sentence in silence():
            say(sentence)
    return 0
