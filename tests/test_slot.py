import json
from dataclasses import replace

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load, save

from device.errors import ModelError
from device.slot import digest, pack, unpack


def envelope(blob):
    length = int.from_bytes(blob[:8], "little")
    return json.loads(json.loads(blob[8 : 8 + length])["__metadata__"]["fathom"])


def metadata(blob):
    return envelope(blob)["about"]


def sealed(tensors, about, number=1):
    """A file whose digest is right, whatever it holds."""
    tensors = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    text = json.dumps(about)
    parts = {"format": number, "digest": digest(text.encode(), tensors)}
    return save(tensors, metadata={"fathom": json.dumps(parts)[:-1] + f', "about": {text}}}'})


def rewritten(blob, about=None, number=1, **tensors):
    """The same file with other tensors (None: left out) or other metadata."""
    held = {name.replace("__", "."): tensor for name, tensor in tensors.items()}
    kept = {name: tensor for name, tensor in {**load(blob), **held}.items() if tensor is not None}
    return sealed(kept, about or metadata(blob), number)


@pytest.fixture(scope="module")
def blob(slot):
    return pack(slot)


def test_a_slot_comes_back_as_it_was_packed(slot, blob):
    back = unpack(blob, "slot 1")

    assert back.about == slot.about
    assert np.array_equal(back.hits, slot.hits)
    knobs = np.random.default_rng(1).integers(0, 1024, (50, 4))
    assert np.array_equal(back.decoder.codes(knobs), slot.decoder.codes(knobs))
    assert pack(back) == blob


def test_a_strided_array_is_packed_as_it_reads(slot):
    turned = np.asfortranarray(slot.hits)

    assert np.array_equal(unpack(pack(replace(slot, hits=turned)), "s").hits, slot.hits)


def test_a_truncated_file_is_refused_wherever_it_ends(blob):
    for length in [0, 1, 7, 8, 9, 100, len(blob) // 2, len(blob) - 1]:
        with pytest.raises(ModelError, match="^slot 3: not a whole slot file"):
            unpack(blob[:length], "slot 3")


def test_another_version_is_refused_by_its_number(blob):
    with pytest.raises(ModelError, match="format 7, expected 1: from another version"):
        unpack(rewritten(blob, number=7), "slot 3")


def test_a_wrong_shape_is_refused_with_found_and_expected(blob):
    shapes = {"takes__hits": np.zeros((6, 1, 16), np.uint8)}

    with pytest.raises(ModelError, match=r"takes.hits is \(6, 1, 16\), expected \(6, 1, 32\)"):
        unpack(rewritten(blob, **shapes), "slot 3")


def test_layers_of_another_width_are_refused(blob):
    weight = load(blob)["decoder.1.weight"][:, :-1]

    with pytest.raises(ModelError, match="decoder.1.weight is"):
        unpack(rewritten(blob, decoder__1__weight=weight), "slot 3")


@pytest.mark.parametrize("value", [np.nan, np.inf, -1.0, 0.0])
def test_a_scale_that_is_not_finite_and_positive_is_refused(blob, value):
    scale = load(blob)["decoder.0.scale"].copy()
    scale[0] = value

    with pytest.raises(ModelError, match="decoder.0.scale is not finite"):
        unpack(rewritten(blob, decoder__0__scale=scale), "slot 3")


def test_a_missing_and_a_foreign_tensor_are_named(blob):
    with pytest.raises(ModelError, match="takes.hits is missing"):
        unpack(rewritten(blob, takes__hits=None), "slot 3")
    with pytest.raises(ModelError, match="holds extra"):
        unpack(rewritten(blob, extra=np.zeros(3)), "slot 3")


def test_another_type_is_refused(blob):
    with pytest.raises(ModelError, match="takes.hits is float64, expected uint8"):
        unpack(rewritten(blob, takes__hits=np.zeros((6, 1, 32))), "slot 3")


def test_a_single_bit_that_flipped_is_noticed(blob):
    for place in range(8, len(blob), 997):
        damaged = bytearray(blob)
        damaged[place] ^= 1
        with pytest.raises(ModelError, match="^slot 3: "):
            unpack(bytes(damaged), "slot 3")


@pytest.mark.parametrize("text", ["[" * 100_000, "null", "[]", "{}", '{"format": 1e400}', '{"format": "1"}'])
def test_metadata_that_is_no_metadata_is_refused(blob, text):
    tensors = load(blob)

    with pytest.raises(ModelError, match="^slot 3: "):
        unpack(save(tensors, metadata={"fathom": text}), "slot 3")


def test_a_header_without_metadata_is_refused():
    for header in (b'{"__metadata__":null}', b"{}"):
        with pytest.raises(ModelError, match="^slot 3: "):
            unpack(len(header).to_bytes(8, "little") + header, "slot 3")


def test_another_programs_safetensors_file_is_refused():
    with pytest.raises(ModelError, match="not a slot of Fathom"):
        unpack(save({"x": np.zeros(3)}), "slot 3")


@pytest.mark.parametrize("key", ["voices", "takes", "ranges", "architecture", "playability"])
@pytest.mark.parametrize("value", [None, -1, 10**9, "x", [], {}])
def test_odd_metadata_is_refused_in_a_sentence(blob, key, value):
    if value in ("x", {}) and key in ("architecture", "playability"):
        return  # these are what they may be
    with pytest.raises(ModelError, match=r"^slot 3: "):
        unpack(rewritten(blob, {**metadata(blob), key: value}), "slot 3")


@settings(max_examples=300, deadline=None)
@given(place=st.floats(0, 1), value=st.integers(0, 255), more=st.integers(0, 40))
def test_a_damaged_file_is_refused_in_a_sentence(blob, place, value, more):
    damaged = bytearray(blob)
    first = int(place * (len(blob) - 1))
    damaged[first : first + 1 + more] = bytes([value]) * (1 + more)
    damaged = bytes(damaged[: len(blob)])
    if damaged != blob:
        with pytest.raises(ModelError, match=r"^slot 3: [^\n]*$"):
            unpack(damaged, "slot 3")


def test_the_metadata_holds_no_clock_time_and_no_path(blob):
    about = msgspec.json.encode(envelope(blob)).decode()

    assert "/" not in about
    assert "created" not in about
