"""Bytes to whole messages: however they are cut, mixed or broken."""

import random
import time

import mido
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.stream import LONGEST_SYSEX, MidiStream

DATA = st.integers(0, 127)
REALTIME = st.sampled_from([0xF8, 0xFA, 0xFB, 0xFC, 0xFE, 0xFF]).map(lambda byte: bytes([byte]))
THREE = st.tuples(st.sampled_from([*range(0x80, 0xC0), *range(0xE0, 0xF0), 0xF2]), DATA, DATA).map(bytes)
TWO = st.tuples(st.sampled_from([*range(0xC0, 0xE0), 0xF1, 0xF3]), DATA).map(bytes)
SYSEX = st.lists(DATA, max_size=40).map(lambda data: bytes([0xF0, *data, 0xF7]))
MESSAGES = st.lists(st.one_of(THREE, TWO, SYSEX, REALTIME, st.just(b"\xf6")), max_size=30)


def messages_of(*pieces):
    stream = MidiStream()
    return [message for piece in pieces for message in stream.feed(bytes(piece))]


@pytest.mark.parametrize(
    ("sent", "messages"),
    [
        ([0x90, 36, 100, 38, 90, 40, 0], [[0x90, 36, 100], [0x90, 38, 90], [0x90, 40, 0]]),
        ([0xC5, 1, 2], [[0xC5, 1], [0xC5, 2]]),
        ([0x90, 36, 0xF8, 100, 0xF8, 38, 90], [[0xF8], [0x90, 36, 100], [0xF8], [0x90, 38, 90]]),
        ([0x90, 36, 100, 0xF2, 0, 1, 38, 90], [[0x90, 36, 100], [0xF2, 0, 1]]),
        ([0x90, 36, 100, 0xF6, 38, 90], [[0x90, 36, 100], [0xF6]]),
        ([0x90, 36, 100, 0xF0, 1, 0xF7, 38, 90], [[0x90, 36, 100], [0xF0, 1, 0xF7]]),
        ([0x90, 36, 100, 0xF4, 38, 90], [[0x90, 36, 100]]),
        ([0x90, 36, 0xF9, 100, 0xFD], [[0x90, 36, 100]]),
        ([0xF0, 1, 0xF8, 2, 0xF7], [[0xF8], [0xF0, 1, 2, 0xF7]]),
        ([0xF0, 1, 0x90, 36, 100], [[0x90, 36, 100]]),
        ([0x90, 36, 0x80, 36, 64], [[0x80, 36, 64]]),
        ([0xF7, 1, 2, 0xB0, 1, 2], [[0xB0, 1, 2]]),
    ],
    ids=[
        "running status",
        "running status of two bytes",
        "realtime inside a message keeps running status",
        "system common cancels it",
        "tune request too",
        "sysex too",
        "an undefined one too",
        "undefined realtime is as if it were not there",
        "realtime inside sysex",
        "sysex that broke off",
        "a note that broke off",
        "an end without a beginning",
    ],
)
def test_what_the_midi_specification_says_of(sent, messages):
    assert messages_of(sent) == [bytes(message) for message in messages]


@given(MESSAGES, st.data())
@settings(deadline=None)
def test_whole_messages_come_out_as_they_went_in_wherever_they_are_cut(sent, draw):
    whole = b"".join(sent)
    cuts = sorted(draw.draw(st.lists(st.integers(0, len(whole)), max_size=8)))
    pieces = [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]

    assert messages_of(*pieces) == sent


@given(st.binary(max_size=400), st.data())
@settings(deadline=None)
def test_noise_gives_the_same_wherever_it_is_cut_and_every_message_is_whole(noise, draw):
    cut = draw.draw(st.integers(0, len(noise)))

    messages = messages_of(noise)

    assert messages_of(noise[:cut], noise[cut:]) == messages
    for message in messages:
        sysex = message[0] == 0xF0
        assert message[0] >= 0x80
        assert all(byte < 0x80 for byte in (message[1:-1] if sysex else message[1:]))
        mido.Message.from_bytes(message)  # raises for what is none


@given(MESSAGES, st.data())
@settings(deadline=None)
def test_mido_reads_the_same(sent, draw):
    stream = b"".join(sent)  # realtime between messages and inside sysex, which is all that mido knows
    whole = [draw.draw(REALTIME) + bytes([0xF0, 1]) + draw.draw(REALTIME) + bytes([2, 0xF7]), stream]
    parser = mido.Parser()
    parser.feed(b"".join(whole))

    assert messages_of(*whole) == [bytes(message.bin()) for message in parser.messages]


@given(MESSAGES)
@settings(deadline=None)
def test_realtime_comes_out_at_once_and_changes_nothing_else(sent):
    plain = [byte for message in sent for byte in message]

    messages = messages_of([byte for one in plain for byte in (one, 0xFA)])

    assert [message for message in messages if message != b"\xfa"] == [
        message for message in messages_of(plain) if message != b"\xfa"
    ]
    assert messages.count(b"\xfa") == len(plain) + plain.count(0xFA)


def test_sysex_that_is_too_long_is_skipped_whole_and_counted_and_what_follows_is_heard():
    stream = MidiStream()
    fits = bytes([0xF0, *bytes(LONGEST_SYSEX - 2), 0xF7])
    too_long = bytes([0xF0, *bytes(LONGEST_SYSEX - 1), 0xF7])

    assert stream.feed(fits) == [fits]
    assert stream.feed(too_long + b"\x90\x24\x64") == [b"\x90\x24\x64"]
    assert (stream.skipped, stream.stray) == (1, 0)


def test_sysex_without_an_end_holds_no_more_than_its_bound():
    stream = MidiStream()

    for _ in range(100):
        stream.feed(b"\xf0" + bytes(10_000))

    assert len(stream._data) <= LONGEST_SYSEX
    assert stream.skipped == 99


def test_bytes_that_belong_to_nothing_are_counted():
    stream = MidiStream()

    stream.feed(bytes([1, 2, 3, 0xC0, 5, 0xF3, 1, 9]))

    assert stream.stray == 4


def test_a_million_messages_pass_quickly_and_none_is_lost():
    rng = random.Random(1)
    some = [bytes([0x90 | rng.randrange(16), rng.randrange(128), rng.randrange(128)]) for _ in range(997)]
    some += [b"\xf8", b"\xc3\x07", b"\xf0\x01\x02\xf7"]
    rng.shuffle(some)
    stream = MidiStream()
    started = time.monotonic()

    for _ in range(1000):
        assert stream.feed(b"".join(some)) == some

    assert time.monotonic() - started < 15
