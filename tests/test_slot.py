import json
from dataclasses import replace

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load, save

from device.errors import ModelError
from device.slot import pack, unpack


def metadata(blob):
    length = int.from_bytes(blob[:8], "little")
    return json.loads(json.loads(blob[8 : 8 + length])["__metadata__"]["fathom"])


def rewritten(blob, about=None, **tensors):
    """The same file with other tensors (None: left out) or other metadata."""
    held = {name.replace("__", "."): tensor for name, tensor in tensors.items()}
    kept = {name: tensor for name, tensor in {**load(blob), **held}.items() if tensor is not None}
    return save(kept, metadata={"fathom": json.dumps(about or metadata(blob))})


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
        unpack(rewritten(blob, {**metadata(blob), "format": 7}), "slot 3")


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
def test_a_damaged_file_is_refused_in_a_sentence_or_still_plays(blob, place, value, more):
    damaged = bytearray(blob)
    first = int(place * (len(blob) - 1))
    damaged[first : first + 1 + more] = bytes([value]) * (1 + more)
    try:
        found = unpack(bytes(damaged[: len(blob)]), "slot 3")
    except ModelError as error:
        assert str(error).startswith("slot 3: ")
        assert "\n" not in str(error)
    else:
        assert found.decoder.decode([0.5] * 4).pattern().hits.shape == (1, 32)


def test_the_metadata_holds_no_clock_time_and_no_path(blob):
    about = msgspec.json.encode(metadata(blob)).decode()

    assert "/" not in about
    assert "created" not in about
