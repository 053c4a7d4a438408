"""Hears onsets with librosa, and matches onsets with mir_eval. Knows nothing of Fathom.

Runs in an environment of its own. The first line has the version; then each line of JSON on stdin is
answered by one:

    {"files": [...], "rate": null}                  -> {"onsets": [[seconds, ...], ...], "cpu_s": seconds}
    {"cases": [[true, found], ...], "window": 0.05} -> {"pairs": [[[place, place], ...], ...]}

`rate` null is that of each file. The processor's time is that of this process, from files to onsets.
"""

import json
import sys
import time

import librosa
import mir_eval
import numpy as np


def hear(file: str, rate: int | None) -> list[float]:
    sound, rate = librosa.load(file, sr=rate)
    return librosa.onset.onset_detect(y=sound, sr=rate, units="time").tolist()


def match(true: list[float], found: list[float], window: float) -> list[tuple[int, int]]:
    if not true or not found:
        return []
    pairs = mir_eval.util.match_events(np.array(true), np.array(found), window)
    return [(int(one), int(other)) for one, other in pairs]


def main() -> None:
    print(json.dumps({"version": f"librosa {librosa.__version__}"}), flush=True)
    for line in sys.stdin:
        job = json.loads(line)
        if "files" in job:
            began = time.process_time()
            onsets = [hear(file, job["rate"]) for file in job["files"]]
            answer = {"onsets": onsets, "cpu_s": time.process_time() - began}
        else:
            answer = {"pairs": [match(*case, job["window"]) for case in job["cases"]]}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
