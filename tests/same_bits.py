"""Decodes and encodes with slots and prints a digest of each part, as JSON: to be compared between machines.

    python tests/same_bits.py SLOT...

Needs of Fathom only what a box plays with. All that is drawn is integers, which are the same everywhere.
"""

import hashlib
import json
import sys
from pathlib import Path

import numpy as np

from device import decoder
from device.decoder import KNOBS, POSITIONS, Decoders, Scores
from device.encoder import take_codes
from device.pattern import STEPS, Pattern
from device.slot import unpack

BATCH, SINGLE, TAKES = 2000, 250, 200  # knob positions at once, and one by one


def digest(*arrays):
    sha = hashlib.sha256()
    for array in arrays:
        sha.update(f"{array.dtype} {array.shape}\n".encode() + np.ascontiguousarray(array).tobytes())
    return sha.hexdigest()


def random_takes(rng, voices, count):
    hits = rng.integers(0, 3, (count, voices, STEPS)) == 0
    velocities = np.where(hits, rng.integers(1, 1025, hits.shape) / 1024, 0.0)
    offsets = np.where(hits, rng.integers(-512, 513, hits.shape) / 1024, 0.0)
    return [Pattern(*parts) for parts in zip(hits, velocities, offsets, strict=True)]


def parts_of(slot):
    """Digests of what a slot gives, by part."""
    rng = np.random.default_rng(1)
    positions = rng.integers(0, POSITIONS, (BATCH, KNOBS))
    codes = slot.decoder.codes(positions)
    knobs = rng.integers(0, 4096, (SINGLE, KNOBS)) / 4095
    densities = rng.integers(0, 1025, (SINGLE, slot.about.voices)) / 1024
    one_by_one = [slot.decoder.decode(each).codes.copy() for each in knobs]
    patterns = [
        Scores(each).pattern(density.tolist()) for each, density in zip(one_by_one, densities, strict=True)
    ]
    shown = take_codes(random_takes(rng, slot.about.voices, TAKES))
    latents = slot.encoder.run(shown)
    return {
        "knob map": digest(slot.decoder.knob_map.table),
        "codes": digest(codes),
        "codes one by one": digest(np.array(one_by_one)),
        "hits": digest(np.array([each.hits for each in patterns])),
        "velocities": digest(np.array([each.velocities for each in patterns])),
        "offsets": digest(np.array([each.offsets for each in patterns])),
        "takes as shown": digest(shown),
        "latents of takes": digest(latents),
        "positions of takes": digest(slot.decoder.knob_map.positions(latents)),
        "different codes": len(np.unique(codes)),
    }


def codes_of_all(slots):
    """A digest of what the slots give side by side, as a box plays them."""
    decoders = Decoders([slot.decoder for slot in slots])
    knobs = np.random.default_rng(2).integers(0, 4096, (SINGLE, KNOBS)) / 4095
    return digest(np.array([decoders.decode(each).codes.copy() for each in knobs]))


def main():
    slots = {Path(name).name: unpack(Path(name).read_bytes(), name) for name in sys.argv[1:]}
    found = {name: parts_of(slot) for name, slot in slots.items()}
    found["side by side"] = {"codes": codes_of_all(list(slots.values()))}
    found["tables"] = {"sigmoid": digest(decoder.SIGMOID, decoder.VELOCITY, decoder.OFFSET)}
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
