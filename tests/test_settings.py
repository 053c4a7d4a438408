import pytest

from device.errors import SettingsError
from device.settings import Settings, VoiceSettings, read_settings
from device.specs import BOX_SPECS, VOICE_SPECS


def test_a_file_of_settings_is_read_every_voice_first():
    settings, complaints = read_settings(
        "bpm = 90\n[voice.2]\nnote = 40\nmute = true\n[voices]\nnote = 50\ngate = 2"
    )

    assert complaints == []
    assert settings.bpm == 90
    assert [voice.note for voice in settings.voices] == [50, 40, *[50] * 14]
    assert [voice.gate for voice in settings.voices] == [2] * 16
    assert settings.voices[1].mute


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("bpm = 19", "settings: bpm = 19: expected a number from 20 to 300 beats a minute"),
        ("bpm = 'fast'", "settings: bpm = 'fast': expected a number from 20 to 300 beats a minute"),
        ("bpm = nan", "settings: bpm = nan: expected a number from 20 to 300 beats a minute"),
        ("bpm = true", "settings: bpm = True: expected a number from 20 to 300 beats a minute"),
        ("clock_out = 2.5", "settings: clock_out = 2.5: expected a whole number from 1 to 48 pulses a beat"),
        ("slots = [17]", "settings: slots = [17]: expected 1 to 16 slot numbers from 1 to 16"),
        ("slots = []", "settings: slots = []: expected 1 to 16 slot numbers from 1 to 16"),
        ("voice.1.length = 33", "settings: voice.1.length = 33: expected a whole number from 1 to 32 steps"),
        ("voice.1.mute = 1", "settings: voice.1.mute = 1: expected true or false"),
        (
            "voice.17.note = 1",
            "settings: voice.17.note is not a setting; expected voices.NAME or voice.1.NAME to voice.16.NAME",
        ),
        ("voice.1.colour = 1", "settings: voice.1.colour is not a setting; expected one of density"),
        ("tempo = 90", "settings: tempo is not a setting; expected one of bpm"),
    ],
)
def test_what_cannot_be_used_is_named_with_key_value_and_range(line, sentence):
    settings, complaints = read_settings("seed = 7\n" + line)

    assert len(complaints) == 1
    assert complaints[0].startswith(sentence)
    assert settings == Settings(seed=7), "the other keys hold"


def test_a_text_that_is_not_toml_leaves_the_defaults():
    settings, complaints = read_settings("bpm == 90")

    assert settings == Settings()
    assert complaints[0].startswith("settings: not TOML:")


def test_every_setting_has_a_default_within_its_range():
    for specs, default in ((BOX_SPECS, Settings()), (VOICE_SPECS, VoiceSettings())):
        for name, spec in specs.items():
            value = getattr(default, name)
            for one in value if spec.most else (value,):
                assert type(one) is spec.kind, name
                assert (
                    one in spec.choices if spec.choices else spec.kind is str or spec.low <= one <= spec.high
                )
            assert not spec.most or spec.least <= len(value) <= spec.most, name
            assert spec.says


def test_a_nudge_moves_a_setting_as_far_as_its_range_goes():
    settings = Settings().nudged("bpm", 3.5).nudged("voices.density", -0.1).nudged("voice.2.density", 7)

    assert settings.bpm == 123.5
    assert [voice.density for voice in settings.voices] == [0.4, 1.0, *[0.4] * 14]
    assert Settings().nudged("bpm", 1e9).bpm == 300
    for key, by in (("voice.1.pitch", 1), ("bpm", float("nan")), ("tempo", 1), ("voice.17.note", 1)):
        with pytest.raises(SettingsError):
            Settings().nudged(key, by)


def test_a_change_makes_other_settings_and_leaves_these():
    settings = Settings()

    changed = settings.changed("voice.3.swing", 0.6)

    assert changed.voices[2].swing == 0.6
    assert settings.voices[2].swing == 0.5
    with pytest.raises(SettingsError):
        settings.changed("voice.3.swing", 0.9)


def test_what_a_control_change_moves_is_known_by_its_key_with_and_without_a_channel():
    settings = Settings().changed("cc.10.74", "bpm")

    assert settings.value("cc.10.74") == "bpm"
    assert settings.value("cc.16") == "A"
    assert settings.value("cc.9.74") == ""
    for key, value, _ in settings.differences(Settings()):
        assert settings.value(key) == value


def test_a_nudge_turns_a_switch_over_and_takes_the_next_word():
    settings = Settings().nudged("voice.1.mute", 1).nudged("clock", 1).nudged("voice.2.scale", -1)

    assert settings.voices[0].mute
    assert not settings.nudged("voice.1.mute", 1).voices[0].mute
    assert settings.clock == "jack"
    assert settings.voices[1].scale == "chromatic", "there is none before"


def test_several_voices_can_be_changed_each_to_its_own():
    settings = Settings().changed_each("length", {0: 5, 3: 7})

    assert [voice.length for voice in settings.voices[:5]] == [5, 32, 32, 7, 32]
    with pytest.raises(SettingsError, match="voice.2.length = 33"):
        settings.changed_each("length", {1: 33})
