"""What follows the end of an engine, however it ended: every gate low, every note off, no more than that."""

import json
import os
import subprocess
import sys

import pytest
from midi_helpers import jack_server, need_rtmidi, open_when_up
from process_helpers import ROOT
from test_din import Cable

from device import silence as silence_room
from device.keeper import save
from device.memory import pack
from device.settings import Settings
from device.silence import endings, silence
from hw.errors import PanelError
from hw.midi_out import open_midi_out

SYNTH = """
import json, sys, time, rtmidi
port = rtmidi.MidiIn(rtmidi.API_UNIX_JACK, name=sys.argv[1])
heard = []
port.set_callback(lambda event, _: heard.append(event[0]))
port.open_virtual_port("in")
print("here", flush=True)
sys.stdin.readline()
print(json.dumps(heard), flush=True)
import os; os._exit(0)
"""


def silenced():
    return subprocess.run(
        [sys.executable, "fathom.py", "_silence"], cwd=ROOT, capture_output=True, text=True, timeout=30
    )


def test_all_notes_off_goes_to_every_channel_and_note_by_note_to_those_that_voices_play_on():
    settings = Settings().changed("voice.2.channel", 10)

    messages = list(endings(settings))

    assert [message for message in messages if message[0] & 0xF0 == 0xB0] == [
        bytes((0xB0 | channel, 123, 0)) for channel in range(16)
    ]
    ended = {(message[0] & 0x0F, message[1]) for message in messages if message[0] & 0xF0 == 0x80}
    assert ended == {(channel, note) for channel in (0, 9) for note in range(128)}


def test_the_lines_are_taken_low_and_given_back_before_any_note_is_ended(home, monkeypatch):
    done = []

    class Jacks:
        complaint = ""

        def __init__(self, wiring):
            done.append(wiring.jacks_out["gate1"])

        def close(self):
            done.append("low")

    home.mkdir()
    (home / "settings.toml").write_text("[wiring.out]\ngate1 = 17\ngate2 = 16\n")
    monkeypatch.setattr(silence_room, "GpiodJacks", Jacks)
    monkeypatch.setattr(silence_room, "_end_notes", lambda messages: done.append(len(messages)))

    assert list(silence()) == []
    assert done == [17, "low", 16 + 128]


def test_what_sounds_at_the_din_socket_is_ended_where_there_is_one(home, monkeypatch):
    cable = Cable()
    home.mkdir()
    (home / "settings.toml").write_text(f'midi_out = ["", "din"]\n[wiring]\nserial = "{cable.path}"\n')
    monkeypatch.setattr(silence_room, "_lower", lambda: None)
    monkeypatch.setattr(silence_room, "_end_notes", lambda messages: None)

    assert list(silence()) == []
    assert cable.heard() == b"".join(endings(Settings()))
    cable.close()


def test_channels_are_those_that_were_set_by_hand_last(home, monkeypatch):
    home.mkdir()
    (home / "settings.toml").write_text("[voices]\nchannel = 3\n")
    held = {"settings": {"voice.1.channel": [3, 5]}, "knobs": None, "voice": 0}
    save(home / "state.json", pack(held))
    sent = []
    monkeypatch.setattr(silence_room, "_end_notes", sent.extend)

    list(silence())

    assert {message[0] & 0x0F for message in sent if message[0] & 0xF0 == 0x80} == {2, 4}


def test_what_fails_is_a_sentence_each_and_the_rest_is_done(home, monkeypatch):
    def fail(*words):
        raise PanelError("MIDI: gone.")

    monkeypatch.setattr(silence_room, "GpiodJacks", fail)
    monkeypatch.setattr(silence_room, "_end_notes", fail)

    assert list(silence()) == ["silence: MIDI: gone.", "silence: MIDI: gone."]


def test_on_a_machine_without_anything_it_says_so_and_is_no_failure(home, monkeypatch):
    monkeypatch.setenv("JACK_DEFAULT_SERVER", "nobody")

    done = silenced()

    assert (done.returncode, done.stdout) == (0, "")
    assert "Traceback" not in done.stderr
    assert 1 <= len(done.stderr.splitlines()) <= 2
    assert all(line.startswith("silence: ") for line in done.stderr.splitlines())


def test_every_synthesiser_hears_that_its_notes_end(home, monkeypatch):
    need_rtmidi()
    if os.path.exists("/dev/snd/seq"):
        pytest.skip("real MIDI over JACK: this machine has the ALSA sequencer, and the box prefers it")
    with jack_server(monkeypatch):
        open_when_up(open_midi_out).close()
        synths = [
            subprocess.Popen(
                [sys.executable, "-c", SYNTH, f"synth {number}"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            for number in range(2)
        ]
        try:
            for synth in synths:
                assert synth.stdout.readline() == "here\n"
            done = silenced()
            said = [json.loads(synth.communicate("\n", timeout=20)[0]) for synth in synths]
        finally:
            for synth in synths:
                synth.kill()
                synth.communicate()

    assert done.returncode == 0
    assert said == [[list(message) for message in endings(Settings())]] * 2
