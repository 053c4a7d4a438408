import random
from dataclasses import replace

import pytest
from clock_helpers import S, clocks, feed

from device.box import Box
from device.ensemble import Ensemble
from device.memory import LARGEST, Memory, digest, pack, unpack
from device.player import Player
from device.settings import Settings
from device.sync import NS_PER_MS
from hw.panel import open_panel
from hw.timing import SimTime

NOTHING = {"settings": {}, "knobs": None, "voice": 0}


class Days:
    """A box that is switched on and off; what it remembers goes through the bytes of its file."""

    def __init__(self, library):
        self.library = library
        self.left = Memory()
        self.said = []

    def begin(self, origin=None, slots=(), knobs=None, **flags):
        """As `fathom play` does it, without files."""
        origin = origin or Settings()
        settings, self.said = self.left.over(origin)
        for key, value in flags.items():
            settings = settings.changed(key, value)
        numbers = list(slots) or settings.slots or [1]
        time = SimTime()
        panel = open_panel("sim", midi_port=None, time=time)
        for knob, place in enumerate(knobs or ()):
            panel.knobs.turn(knob, place)
        ensemble = Ensemble([self.library[number] for number in numbers])
        player = Player(time, ensemble, settings, self.library, panel.knobs.values)
        self.box = Box(panel, time, player, None, self.left, origin, knobs)
        return self.box

    def end(self):
        self.left = unpack(pack(self.box.memory()), "state.json")

    def overnight(self, **morning):
        self.end()
        return self.begin(**morning)


@pytest.fixture
def days(slot, other_slot):
    return Days({1: slot, 2: other_slot, 3: replace(slot, name="slot 3")})


def test_a_box_in_which_nothing_is_changed_remembers_nothing(days):
    box = days.begin(bpm=150, slots=[2], knobs=[0.1, 0.2, 0.3, 0.4])

    assert box.memory() == NOTHING
    assert days.left.over(Settings()) == (Settings(), [])


def test_what_was_changed_by_hand_is_there_the_next_morning(days):
    desk = days.begin().desk
    desk.change("bpm", 97)
    desk.change("voice.2.note", 44)
    desk.change("voice.3.pitch", [0, 7])
    desk.change("home", [0, 0, 0, 1])
    desk.turn(1, 0.25)
    desk.choose([3, 2])
    desk.voice = 5

    box = days.overnight()

    settings = box.player.settings
    assert (settings.bpm, settings.voices[1].note, settings.voices[2].pitch) == (97, 44, (0, 7))
    assert settings.home == (0, 0, 0, 1)
    assert box.desk.knobs == [0.5, 0.25, 0.5, 0.5]
    assert box.player.numbers == [3, 2]
    assert box.desk.voice == 5
    assert days.said == []


def test_a_day_without_changes_leaves_what_was_remembered_as_it_was(days):
    days.begin().desk.change("bpm", 97)
    days.box.desk.turn(0, 1.0)
    days.box.desk.choose([2])
    days.end()
    before = digest(days.box.memory())

    for _ in range(3):
        days.overnight()

    assert digest(days.box.memory()) == before


def test_what_is_put_back_as_the_file_has_it_is_no_longer_remembered(days):
    days.begin().desk.change("bpm", 97)
    days.box.desk.choose([2])
    origin = Settings().changed("slots", [1])

    days.overnight(origin=origin).desk.change("bpm", 120)
    days.box.desk.choose([1])

    assert days.box.memory()["settings"] == {}


def test_a_file_that_was_edited_since_wins_and_stays_the_winner(days):
    days.begin().desk.change("bpm", 97)
    days.box.desk.change("voice.1.note", 40)
    edited = Settings().changed("bpm", 100)

    assert days.overnight(origin=edited).player.settings.bpm == 100
    days.box.desk.turn(0, 0.1)  # something else is changed, and all is written
    assert days.overnight(origin=edited).player.settings.bpm == 100
    assert days.overnight().player.settings.bpm == 120, "nor does it come back when the file goes back"
    assert days.box.player.settings.voices[0].note == 40


def test_slots_that_were_written_into_the_file_since_win(days):
    days.begin(origin=Settings().changed("slots", [1])).desk.choose([2])

    assert days.overnight(origin=Settings().changed("slots", [1])).player.numbers == [2]
    assert days.overnight(origin=Settings().changed("slots", [3])).player.numbers == [3]


def test_flags_win_and_are_not_remembered(days):
    days.begin().desk.change("bpm", 97)
    days.box.desk.turn(0, 0.9)
    days.box.desk.choose([2])

    box = days.overnight(bpm=150, seed=9, slots=[3], knobs=[0.1, 0.1, 0.1, 0.1])
    assert (box.player.settings.bpm, box.player.numbers, box.desk.knobs) == (150, [3], [0.1] * 4)
    box.desk.change("voice.1.mute", True)

    box = days.overnight()
    assert (box.player.settings.bpm, box.player.settings.seed) == (97, 1)
    assert box.player.numbers == [2]
    assert box.desk.knobs == [0.9, 0.5, 0.5, 0.5]
    assert box.player.settings.voices[0].mute


def test_what_a_flag_set_and_a_hand_changed_is_remembered(days):
    box = days.begin(bpm=150, slots=[3], knobs=[0.1, 0.1, 0.1, 0.1])
    box.desk.change("bpm", 151)
    box.desk.choose([1, 3])
    box.desk.turn(3, 0.7)

    box = days.overnight()

    assert (box.player.settings.bpm, box.player.numbers) == (151, [1, 3])
    assert box.desk.knobs == [0.1, 0.1, 0.1, 0.7]


def test_control_changes_that_were_learned_and_unlearned_are_remembered(days):
    days.begin().controls.learn("voice.1.density")
    days.box.controls.hear(bytes((0xB9, 74, 0)))
    days.box.desk.change("cc.16", "")

    mapped = dict(days.overnight().player.settings.cc)

    assert mapped["10.74"] == "voice.1.density"
    assert "16" not in mapped
    assert dict(days.overnight().player.settings.cc) == mapped
    assert days.said == []


def test_as_many_control_changes_as_there_may_be_are_remembered_after_a_swap(days):
    full = Settings()
    for number in range(20, 120):
        full = full.changed(f"cc.{number}", "A")
    for number in range(24):
        full = full.changed(f"cc.1.{number}", "B")
    days.begin(origin=full).desk.change("cc.119", "")
    days.box.desk.change("cc.0", "C")

    mapped = dict(days.overnight(origin=full).player.settings.cc)

    assert days.said == []
    assert mapped["0"] == "C"
    assert "119" not in mapped


def test_a_followed_tempo_is_not_remembered_as_the_players(days):
    box = days.begin()
    box.desk.change("bpm", 97)
    feed(box, [(S, b"\xfa"), *clocks(140, 24 * 4, first=S + NS_PER_MS)])
    assert box.player.slaved
    assert box.player.settings.bpm == pytest.approx(140, abs=1)
    assert box.memory()["settings"] == {"bpm": (120.0, 97.0)}

    feed(box, [], until=box.engine.time.now() + 2 * S)
    assert not box.player.slaved, "its clock is gone, its tempo is not"
    assert box.player.settings.bpm == pytest.approx(140, abs=1)
    assert days.overnight().player.settings.bpm == 97


def test_a_setting_that_is_none_any_more_is_said_and_forgotten(days):
    bad = {
        "voice.1.sparkle": (1, 2),
        "bpm": (120.0, 900.0),
        "edit.note": (1, 2),
        "": (0, 0),
        "cc.x": ("", "A"),
    }
    days.left = Memory({**bad, "voice.1.note": (36, 40)}, None, 0)

    box = days.begin()

    assert box.player.settings == Settings().changed("voice.1.note", 40)
    assert len(days.said) == len(bad)
    assert all(sentence.startswith("remembered settings: ") for sentence in days.said)
    box.desk.turn(0, 0.1)
    days.overnight()
    assert days.said == []


def test_anything_in_place_of_a_value_is_said_and_nothing_worse(days):
    rng = random.Random(1)
    odd = [None, {}, [], [[]], "", "x" * 5000, -1, 10**30, 1e300, True, {"a": [1]}, [1] * 99, "A"]
    keys = ["bpm", "slots", "cc.16", "cc.", "cc.1.1.1", "voice.1.pitch", "voices.note", "home", "x.y.z", "."]

    for _ in range(500):
        key = rng.choice(keys)
        value = rng.choice(odd)
        before = Settings().value(key) if key in ("bpm", "slots", "home") else rng.choice(odd)
        memory = Memory({key: (list(before) if isinstance(before, tuple) else before, value)})
        settings, said = memory.over(Settings())
        assert len(said) <= 1
        assert settings == Settings() or not said


# --- the bytes ----------------------------------------------------------------------------------------------


def test_what_is_packed_is_unpacked(days):
    days.begin().desk.change("voice.16.channel", 9)
    days.box.desk.turn(2, 1 / 3)

    memory = days.box.memory()

    assert unpack(pack(memory), "state.json") == Memory(
        {"voice.16.channel": (1, 9)}, [0.5, 0.5, 0.333333, 0.5], 0
    )


def sealed(body):
    return pack({**NOTHING, **body})


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "not what a box has remembered, or cut off"),
        (pack(NOTHING)[:-20], "not what a box has remembered, or cut off"),
        (b"\x00" * 200, "not what a box has remembered, or cut off"),
        (b"[" * 100_000, "not what a box has remembered, or cut off"),
        (b"[1, 2]", "not what a box has remembered, or cut off"),
        (b'{"format":1,"memory":"\\ud800"}', "not what a box has remembered, or cut off"),
        (b" " * (LARGEST + 1), f"more than {LARGEST} bytes"),
        (b'{"format": 2, "music": []}', "of format 2, expected 1"),
        (b'{"format": 1}', "damaged"),
        (pack(NOTHING).replace(b'voice\\":0', b'voice\\":1'), "damaged"),
        (sealed({"knobs": [0.5] * 3}), "expected four knobs 0..1 and a voice"),
        (sealed({"knobs": [0.5, 0.5, 0.5, 1.01]}), "expected four knobs 0..1 and a voice"),
        (sealed({"voice": 16}), "expected four knobs 0..1 and a voice"),
        (sealed({"settings": {"bpm": [1, 2, 3]}}), "not what a box has remembered"),
        (sealed({"voice": "one"}), "not what a box has remembered"),
    ],
)
def test_anything_else_is_refused_in_one_sentence(data, said):
    with pytest.raises(ValueError, match=r"^state\.json: [^\n]+\.$") as refused:
        unpack(data, "state.json")
    assert said in str(refused.value)


def test_one_bit_that_has_changed_is_noticed_wherever_it_is(days):
    days.begin().desk.change("bpm", 97)
    data = pack(days.box.memory())

    for bit in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        try:
            assert unpack(bytes(damaged), "state.json") == unpack(data, "state.json"), "a name nobody reads"
        except ValueError:
            continue


def test_all_settings_of_all_voices_fit(days):
    desk = days.begin().desk
    for voice in range(1, 17):
        desk.change(f"voice.{voice}.pitch", [-48] * 8)
        for name in ("density", "groove", "probability", "accent", "gate", "swing", "ratchet_decay"):
            desk.change(f"voice.{voice}.{name}", 0.5432109876)
    for number in range(120):
        desk.change(f"cc.{number}", "voice.16.ratchet_chance")

    assert len(pack(days.box.memory())) < LARGEST / 4
