"""The same bits on x86-64 and on arm64: a Python for arm64 runs here, emulated, as three Pis' processors."""

import json
import os
import platform
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import msgspec
import numpy as np
import pytest

from device.decoder import KNOBS, LATENT_LIMIT, OUTPUT_LIMIT, POSITIONS, Decoder, KnobMap
from device.encoder import FULL
from device.network import EXACT_LIMIT, Dense, IntegerNetwork
from device.pattern import STEPS
from device.slot import pack
from device.slots import FACTORY, load_file
from tools import arm64

ROOT = Path(__file__).parents[1]
PROBE = ROOT / "tests" / "same_bits.py"
VOICES = 4
# Of a Pi 3, 4 and 5, and one with all that arm64 can do. OpenBLAS has other code for each (it says so with
# OPENBLAS_VERBOSE=2: cortexa53, cortexa57, armv8, armv9sme), and numpy for what they lack.
PROCESSORS = ("cortex-a53", "cortex-a72", "cortex-a76", "max")


def random_network(rng, widths, limit_in, limit_out, name):
    """Weights of all sizes, sums as large as may be, and scales of which some make exact halves."""
    layers, largest = [], limit_in
    for index, (inputs, outputs) in enumerate(pairwise(widths)):
        last = index == len(widths) - 2
        high = limit_out if last else 255
        weight = rng.integers(-127, 128, (outputs, inputs)).astype(np.int8)
        room = EXACT_LIMIT - 1 - np.abs(weight.astype(int)).sum(axis=1) * largest
        bias = np.sign(rng.integers(-1, 2, outputs)) * np.minimum(room, 2**16)
        scale = high / (inputs**0.5 * 73 * largest / 2) * rng.integers(256, 1024, outputs) / 512
        halves = rng.integers(0, 4, outputs) == 0
        scale[halves] = 2.0 ** np.rint(np.log2(scale[halves]))
        layers.append(Dense(weight, bias.astype(np.int32), scale, -high if last else 0, high))
        largest = high
    return IntegerNetwork(layers, -limit_in, limit_in, name)


def random_slot():
    rng = np.random.default_rng(7)
    factory = load_file(FACTORY, "factory slot")
    inputs = 3 * VOICES * STEPS
    decoder = random_network(rng, (KNOBS, 160, 96, inputs), LATENT_LIMIT, OUTPUT_LIMIT, "decoder")
    encoder = random_network(rng, (inputs, 96, KNOBS), FULL, LATENT_LIMIT, "encoder")
    points = np.sort(rng.integers(-LATENT_LIMIT, LATENT_LIMIT + 1, (KNOBS, 65)), axis=1).astype(np.int16)
    ranges = {net.name: [(layer.low, layer.high) for layer in net.layers] for net in (decoder, encoder)}
    about = msgspec.structs.replace(factory.about, voices=VOICES, ranges=ranges, takes=["a", "b"])
    return replace(
        factory,
        about=about,
        decoder=Decoder(KnobMap(points), decoder, VOICES),
        encoder=encoder,
        hits=rng.integers(0, 2, (2, VOICES, STEPS)).astype(bool),
        positions=rng.integers(0, POSITIONS, (2, KNOBS)),
    )


def digests(command, slots, *path):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (ROOT, *path)))}
    environment["OPENBLAS_NUM_THREADS"] = "1"  # as in every Fathom
    done = subprocess.run([*command, PROBE, *slots], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def slots(tmp_path_factory):
    """The factory's, and one of random integers."""
    drawn = tmp_path_factory.mktemp("slots") / "random.safetensors"
    drawn.write_bytes(pack(random_slot()))
    return (FACTORY, drawn)


@pytest.fixture(scope="module")
def here(slots):
    return digests([sys.executable], slots)


@pytest.mark.parametrize("processor", PROCESSORS)
def test_slots_decode_and_encode_to_the_same_bits_on_arm64(processor, slots, here):
    if platform.machine() not in ("x86_64", "AMD64"):
        pytest.skip(f"this machine is {platform.machine()}: x86-64 and arm64 are compared on x86-64")
    try:
        python = arm64.command(processor)
    except arm64.Arm64Error as error:
        if os.environ.get("FATHOM_CI"):
            pytest.fail(f"{error}; in CI nothing is skipped")
        pytest.skip(str(error))

    assert digests(python, slots, arm64.packages()) == here


def test_what_is_compared_plays_on_the_whole_range_of_codes(here):
    assert here["random.safetensors"]["different codes"] > 1000
    assert here[FACTORY.name]["different codes"] > 1000


def test_what_is_compared_would_show_a_sum_that_is_off_by_one(slots, here, tmp_path):
    slot = random_slot()
    last = slot.decoder.network.layers[-1]
    bias = last.bias.copy()
    bias[0] += 1 if bias[0] <= 0 else -1
    layers = [*slot.decoder.network.layers[:-1], replace(last, bias=bias)]
    network = IntegerNetwork(layers, -LATENT_LIMIT, LATENT_LIMIT, "decoder")
    other = tmp_path / "random.safetensors"
    other.write_bytes(pack(replace(slot, decoder=Decoder(slot.decoder.knob_map, network, VOICES))))

    found = digests([sys.executable], [FACTORY, other])

    assert found[FACTORY.name] == here[FACTORY.name]
    assert found["random.safetensors"]["codes"] != here["random.safetensors"]["codes"]


def test_where_there_is_no_emulator_a_sentence_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")

    with pytest.raises(arm64.Arm64Error, match="qemu-aarch64 is not here: apt-get install qemu-user"):
        arm64.make(tmp_path)
    with pytest.raises(arm64.Arm64Error, match="qemu-aarch64 is not here: apt-get install qemu-user"):
        arm64.command()


def test_what_was_made_of_other_versions_counts_as_not_there(tmp_path, monkeypatch):
    monkeypatch.setattr(arm64.shutil, "which", lambda name: f"/usr/bin/{name}")
    (tmp_path / "made").write_text("others")

    with pytest.raises(arm64.Arm64Error, match="make arm64"):
        arm64.command(folder=tmp_path)
