from device.health import Health
from device.output import Output
from device.score import END, GATE, NOTE, Event
from device.sequencer import Hit
from device.tape import Tape
from hw.panel import open_panel
from hw.timing import SimTime

KICK = Hit(0.0, 0, 0.5, 100, 9, 36)


def make(outputs=1):
    time = SimTime()
    panel = open_panel("sim", midi_port=None, time=time, remember=True, outputs=outputs)
    return Output(panel, time, Health(), Tape()), panel


def write(output, events, beat):
    output.commit(output.prepare(events), beat, 0)


def sent(panel, output=0):
    return [list(message) for _, message in panel.midi[output].messages]


def test_a_note_that_sounds_over_the_next_of_its_voice_is_ended_when_that_has_begun():
    output, panel = make()

    write(output, [Event(0.0, NOTE, 0, KICK)], 0.0)
    write(output, [Event(0.5, NOTE, 0, KICK._replace(note=40))], 0.5)

    assert sent(panel) == [[0x99, 36, 100], [0x99, 40, 100], [0x89, 36, 64]], "tied"


def test_a_note_ends_with_the_channel_and_number_that_it_began_with():
    output, panel = make()

    write(output, [Event(0.0, NOTE, 0, KICK), Event(0.0, GATE, 0, KICK)], 0.0)
    write(output, [Event(0.5, END, 0, KICK._replace(note=50, channel=2))], 0.5)

    assert sent(panel)[-1] == [0x89, 36, 64]
    assert panel.jacks.levels["gate1"] == 0


def test_a_jack_is_written_only_when_it_changes():
    output, _ = make()

    write(output, [Event(0.0, GATE, 0, KICK)], 0.0)
    write(output, [Event(0.1, GATE, 0, KICK)], 0.1)
    output.silence(0.2)
    output.silence(0.3)

    assert [(entry["jack"], entry["level"]) for entry in output.tape.entries] == [("gate1", 1), ("gate1", 0)]


def test_messages_are_begun_as_much_earlier_as_they_take_and_jacks_change_on_time(monkeypatch):
    output, panel = make()
    monkeypatch.setattr(panel.midi[0], "send", lambda message: output.time.stall(8000))
    both = [Event(0.0, NOTE, 0, KICK), Event(0.0, GATE, 0, KICK)]
    ends = [Event(0.0, END, 0, KICK)]
    due = 0
    for _ in range(200):
        for events in (both, ends):
            due += 1_000_000
            plan = output.prepare(events)
            output.time.sleep_until(due - output.lead_ns(plan))
            output.commit(plan, 0.0, due)

    late = [entry["at_ns"] - entry["due_ns"] for entry in output.tape.entries if "jack" in entry]
    assert late[0] == 8000
    assert 0 <= late[-1] < 100
    assert output.lead_ns(plan) <= 8000, "never begun earlier than it takes"


def test_a_slow_message_is_allowed_for_until_it_is_long_past(monkeypatch):
    output, panel = make()
    slow = [100_000]
    monkeypatch.setattr(
        panel.midi[0], "send", lambda message: output.time.stall(slow.pop() if slow else 5000)
    )
    note = output.prepare([Event(0.0, NOTE, 0, KICK)])
    leads = []
    for _ in range(400):
        output.commit(note, 0.0, 0)
        leads.append(output.lead_ns(note))

    assert leads[0] == 100_000
    assert leads == sorted(leads, reverse=True)
    assert 5000 <= leads[-1] < 5100


def test_panic_is_heard_on_every_channel():
    output, panel = make()

    output.panic(0.0)

    assert sent(panel) == [[0xB0 | channel, 123, 0] for channel in range(16)]


def test_two_voices_on_one_note_end_it_together():
    output, panel = make()
    snare = KICK._replace(track=1)

    write(output, [Event(0.0, NOTE, 0, KICK), Event(0.0, NOTE, 1, snare)], 0.0)
    write(output, [Event(0.5, END, 0, KICK)], 0.5)
    assert sent(panel) == [[0x99, 36, 100], [0x89, 36, 64], [0x99, 36, 100]]
    write(output, [Event(0.6, END, 1, snare)], 0.6)

    assert sent(panel)[3:] == [[0x89, 36, 64]]


def test_a_control_change_comes_before_all_notes_and_notes_before_gates():
    output, _ = make()
    told = KICK._replace(track=1, note=40, cc=74)

    plan = output.prepare([Event(0.0, NOTE, 0, KICK), Event(0.0, NOTE, 1, told), Event(0.0, GATE, 0, KICK)])

    assert [list(message) for _, message in plan.messages] == [
        [0xB9, 74, 100],
        [0x99, 36, 100],
        [0x99, 40, 100],
    ]


def test_a_voice_past_the_last_gate_plays_midi_alone():
    output, panel = make()
    ninth = KICK._replace(track=8)

    write(output, [Event(0.0, NOTE, 8, ninth), Event(0.0, GATE, 8, ninth)], 0.0)

    assert sent(panel) == [[0x99, 36, 100]]
    assert not any(panel.jacks.levels.values())


def test_a_voice_of_every_output_and_one_of_the_only_output_share_a_note():
    output, panel = make()
    first, second = KICK._replace(port=-1), KICK._replace(track=1, port=0)

    write(output, [Event(0.0, NOTE, 0, first)], 0.0)
    write(output, [Event(0.2, NOTE, 1, second)], 0.2)
    write(output, [Event(0.5, END, 0, first)], 0.5)
    write(output, [Event(0.7, END, 1, second)], 0.7)

    assert [message[0] for message in sent(panel)] == [0x99, 0x89, 0x99, 0x89]


def test_a_voice_of_every_output_and_one_of_the_second_share_a_note_there_alone():
    output, panel = make(outputs=2)
    every, second = KICK._replace(port=-1), KICK._replace(track=1, port=1)

    write(output, [Event(0.0, NOTE, 0, every)], 0.0)
    write(output, [Event(0.2, NOTE, 1, second)], 0.2)
    write(output, [Event(0.5, END, 0, every)], 0.5)
    write(output, [Event(0.7, END, 1, second)], 0.7)

    assert [message[0] for message in sent(panel, 0)] == [0x99, 0x89]
    assert [message[0] for message in sent(panel, 1)] == [0x99, 0x89, 0x99, 0x89]


def test_a_voice_tied_from_every_output_to_one_goes_on_there_alone():
    output, panel = make(outputs=2)
    every, second = KICK._replace(port=-1), KICK._replace(port=1)

    write(output, [Event(0.0, NOTE, 0, every)], 0.0)
    write(output, [Event(0.5, NOTE, 0, second)], 0.5)
    assert [message[0] for message in sent(panel, 0)] == [0x99, 0x89]
    write(output, [Event(0.7, END, 0, second)], 0.7)

    assert [message[0] for message in sent(panel, 1)] == [0x99, 0x89]
