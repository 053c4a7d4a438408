"""Plays sixteenths on four tracks with isobar; prints when each note was asked for. Knows nothing of Fathom.

Runs in isobar's own environment: `python isobar_sixteenths.py SECONDS BPM [PRIORITY]`. The times are integer
nanoseconds of the clock that isobar plays by, time.time(); with a priority it plays under SCHED_FIFO.
"""

import json
import os
import sys
import time

import isobar

TRACKS = 4
SIXTEENTH = 0.25  # beats


class Recorder(isobar.OutputDevice):
    """An output that writes down the time and makes no sound."""

    def __init__(self) -> None:
        super().__init__()
        self.at_ns: list[int] = []

    def note_on(self, note: int = 60, velocity: int = 64, channel: int = 0) -> None:
        self.at_ns.append(time.time_ns())


def main() -> None:
    seconds, bpm = float(sys.argv[1]), float(sys.argv[2])
    recorder = Recorder()
    timeline = isobar.Timeline(bpm, output_device=recorder)
    notes = round(seconds * bpm / 60 / SIXTEENTH)
    for track in range(TRACKS):
        notes_of_track = isobar.PSequence([36 + track], notes)
        timeline.schedule({"note": notes_of_track, "duration": SIXTEENTH, "gate": 0.5})
    timeline.stop_when_done = True
    if len(sys.argv) > 3:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(int(sys.argv[3])))
    timeline.run()
    print(json.dumps(recorder.at_ns))


if __name__ == "__main__":
    main()
