"""The report of a slot: whole, readable by anyone, of bounded size, and the same for the same slot."""

import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import msgspec
import numpy as np
import pytest
from conftest import GROOVES, pattern
from loop_helpers import beats, write

from device.decoder import Decoder, KnobMap
from device.slot import pack, unpack
from fathom import main
from training.learn import Corpus, learn
from training.report import Training, page, trainings_of
from training.survey import survey
from training.wording import FOLLOWED, better, do_all, does

SVG = "{http://www.w3.org/2000/svg}"
CHAPTERS = ["figures", "knobs", "map", "randomiser", "takes", "training", "receipt"]  # and "left-out"
HOSTILE = '<script>alert("1")</script>\x1b[31m&amp;\u202e.wav'


def parsed(html):
    assert html.startswith("<!DOCTYPE html>\n<html")
    return ET.fromstring(html.removeprefix("<!DOCTYPE html>\n"))


def text_of(element):
    return " ".join(" ".join(element.itertext()).split())


def chapter(root, anchor):
    (found,) = (section for section in root.iter("section") if section.get("id") == anchor)
    return found


def learned(*takes, epochs=60):
    corpus = Corpus.of([(f"{n}.wav", take) for n, take in enumerate(takes)])
    return learn(corpus, epochs=epochs).slot


def grown(slot, takes, name="take-{}.wav"):
    """A slot of so many random takes, which it has not learned."""
    rng = np.random.default_rng(1)
    about = msgspec.structs.replace(slot.about, takes=[name.format(n) for n in range(takes)])
    hits = rng.random((takes, *slot.hits.shape[1:])) < 0.4
    return replace(slot, about=about, hits=hits, positions=rng.integers(0, 1024, (takes, 4)))


@pytest.fixture(scope="module")
def drums():
    """Three voices."""
    takes = [pattern(*(GROOVES[(n + voice) % 6] for voice in range(3))) for n in range(5)]
    return learned(*takes)


@pytest.fixture(scope="module")
def root(slot, corpus):
    trainings = [
        Training(slot.about.seed, slot.about.playability, [2.0, 1.0, 0.5], [2.5, 1.5, 1.0]),
        Training(slot.about.seed + 1, slot.about.playability, [2.0, 1.5, 1.0]),
    ]
    return parsed(
        page(
            slot,
            corpus.takes,
            {"groove-1.wav": "112 BPM, 4 bars, 90% sure"},
            trainings,
            [("bad.wav", "bad.wav: it is empty")],
            {"train": 1.25},
        )
    )


def test_a_report_has_all_its_chapters_and_leads_to_each(root):
    chapters = [section.get("id") for section in root.iter("section")]
    links = [link.get("href") for link in root.iter("a")]
    ids = [element.get("id") for element in root.iter() if element.get("id")]

    assert [chapter for chapter in chapters if chapter != "left-out"] == CHAPTERS
    assert links == [f"#{chapter}" for chapter in chapters]
    assert len(ids) == len(set(ids))
    assert {section.get("aria-labelledby") for section in root.iter("section")} <= set(ids)


def test_the_three_questions_are_answered_first(root):
    answers = [text_of(item) for item in next(root.iter("ul")).iter("li")]

    assert answers[0].startswith(
        "What did the machine hear? 6 takes of two bars from 6 loops; 1 file left out."
    )
    assert re.search(r"A (surely|mostly) makes it busier \(from \d+ to \d+ hits\)\. B ", answers[1])
    assert re.search(r"Yes, \d\.\d times nearer to your loops", answers[2])


def test_every_figure_is_there_with_its_value_and_what_it_means(root, slot):
    report = slot.about.playability
    rows = [[text_of(cell) for cell in row] for row in chapter(root, "figures").iter("tr")]
    values = {row[0].split(" ")[0] if "Meaning" not in row[0] else row[0][:12]: row[1] for row in rows}

    assert values["Reach"] == f"{report.reach:.2f}"
    assert values["Meaning of A"] == f"{report.meaning['A']:.2f}"
    assert values["Likeness"] == f"{report.likeness:.2f}"
    assert values["Silence"] == f"{report.silence:.3f}"
    assert values["Held-out"] == "too few takes"
    assert values["Travel"].count(",") == values["Evenness"].count(",") == 3
    assert all(len(row[0].split()) > 6 for row in rows[1:10])


def test_of_several_trainings_each_has_its_row_and_the_kept_one_is_marked(root, slot):
    tables = list(chapter(root, "figures").iter("table"))
    seeds = [text_of(row.find("th")) for row in tables[1].find("tbody")]

    assert seeds == [f"{slot.about.seed} kept", f"{slot.about.seed + 1}"]


def test_of_one_training_there_is_no_table_of_trainings(slot):
    assert len(list(chapter(parsed(page(slot)), "figures").iter("table"))) == 1


def test_each_knob_has_its_drawing_its_curve_and_its_table(root):
    figures = list(chapter(root, "knobs").iter("figure"))

    assert [text_of(figure.find("h3")) for figure in figures] == [
        "Knob A: busy", "Knob B: off-beat", "Knob C: fill", "Knob D: what remains",
    ]  # fmt: skip
    for figure in figures:
        assert len(list(figure.iter(f"{SVG}polyline"))) == 2
        assert len(list(figure.iter("tr"))) == 18
        assert re.search(r"(Nearest take|Takes on the way): \d groove-\d", text_of(figure.find("figcaption")))


def test_of_a_knob_without_an_attribute_no_page_says_how_surely_it_does_it(corpus):
    slot = learn(corpus, architecture="paper", epochs=200).slot
    root = parsed(page(slot))
    says = text_of(next(root.iter("ul")))
    rows = [[text_of(cell) for cell in row] for row in chapter(root, "figures").iter("tr")]

    assert re.search(r"A changes it(: up to \d+ steps?|, but only where .*)\. B changes it", says)
    assert not re.search("hardly|somewhat|mostly|surely", says)
    assert [row[2] for row in rows if row[0].startswith("Meaning")] == ["none"] * 3
    assert "makes it busier. It is not for that here" in text_of(chapter(root, "figures"))
    assert slot.lines()[1] == "meaning A no attribute, B no attribute, C A, finely, D B, finely"


def test_a_knob_that_moves_no_hit_is_told_by_what_else_it_moves(slot):
    report = msgspec.structs.replace(slot.about.playability, meaning={"A": 0.95, "B": 0.1})
    seen = survey(slot)
    late, *others = (replace(sweep, alive=False, values=np.zeros(9)) for sweep in seen.sweeps)
    late = replace(late, attribute="late")

    assert does("A", late, report) == "A surely lays it back."
    says = do_all(replace(seen, sweeps=(late, *others)), report)
    assert says == "A surely lays it back. B, C and D change nothing."


def test_the_names_of_curves_fit_above_them():
    assert {name: told.called for name, told in FOLLOWED.items() if len(told.called) > 9} == {}


def test_where_another_network_makes_one_pattern_of_all_takes_the_loops_are_not_blamed(corpus):
    slot = learn(corpus, architecture="paper-2", epochs=1).slot
    seen = survey(slot)
    dead = replace(seen, sweeps=tuple(replace(sweep, alive=False) for sweep in seen.sweeps))

    assert "Learn them without --architecture" in do_all(dead, slot.about.playability, ours=False)
    assert "Give it more loops" in do_all(dead, slot.about.playability)


@pytest.mark.parametrize(
    ("attribute", "values", "says"),
    [
        ("late", [9, 0, 7], "A surely lays it back."),
        ("fill", [0.05, 0.05, 0.05], "A surely puts hits into the second bar."),
        ("busy", [4, 6, 9], "A surely makes it busier (from 4 to 9 hits)."),
        ("what remains", [0], "A changes what remains, but only where the others are not in the middle."),
        ("what remains", [2, 0, 1], "A changes what remains: up to 2 steps."),
    ],
)
def test_what_a_knob_does_is_told_without_empty_numbers(slot, attribute, values, says):
    report = msgspec.structs.replace(slot.about.playability, meaning={"A": 0.95})
    sweep = replace(survey(slot).sweeps[0], attribute=attribute, values=np.array(values), alive=True)

    assert does("A", sweep, report) == says


def test_every_take_is_on_the_map_and_in_the_list_by_its_name(root, slot):
    titles = " ".join(text_of(title) for title in chapter(root, "map").iter(f"{SVG}title"))
    items = [text_of(item) for item in chapter(root, "takes").iter("li")]

    assert len(items) == 6
    for number, called in enumerate(slot.about.takes, 1):
        assert f"{number} {called}" in titles
        assert f"{number} {called}" in items[number - 1]
        assert re.search(r"\d+ hits, at A \d\.\d\d B ", items[number - 1])


def test_the_tempo_that_was_heard_is_beside_the_name_of_its_take(root):
    said = [text_of(item.find("div")) for item in chapter(root, "takes").iter("li")]

    assert said[:3] == ["1 groove-0.wav", "2 groove-1.wav 112 BPM, 4 bars, 90% sure", "3 groove-2.wav"]


def test_velocities_and_offsets_are_shown_where_the_takes_are_at_hand(slot, corpus):
    assert "moved to where it leans" in page(slot, corpus.takes)
    assert "A slot keeps the steps of its takes alone" in page(slot)


def test_what_was_left_out_is_said_once_with_the_reason(root, slot):
    rows = [[text_of(cell) for cell in row] for row in chapter(root, "left-out").iter("tr")]

    assert rows[1:] == [["bad.wav", "it is empty"]]
    assert "left-out" not in [section.get("id") for section in parsed(page(slot)).iter("section")]


def test_loss_curves_of_all_trainings_are_drawn_and_of_none_it_is_said(root, slot):
    drawn = [line.get("class") for line in chapter(root, "training").iter(f"{SVG}polyline")]

    assert drawn == ["idle", "curve", "other dashed"]
    assert "losses of its epochs are not kept" in page(slot)


def test_the_receipt_says_what_it_was_made_from(root, slot):
    said = text_of(chapter(root, "receipt"))

    for part in (slot.about.corpus, slot.about.architecture, slot.about.versions["numpy"], "train 1.2"):
        assert part in said


def test_who_hears_the_page_is_told_what_is_drawn(root):
    drawings = list(root.iter(f"{SVG}svg"))

    assert len(drawings) >= 4 + 2 + 1 + 6 + 1
    for drawing in drawings:
        assert drawing.get("role") == "img"
        assert drawing.find(f"{SVG}title").text
        assert drawing.find(f"{SVG}desc").text
    for table in root.iter("table"):
        assert table.find("caption").text
        assert all(head.get("scope") for head in table.iter("th"))
    assert root.get("lang") == "en"


def test_a_report_stands_alone_and_runs_nothing(slot, corpus):
    made = page(slot, corpus.takes)

    assert set(re.findall(r'https?://[^"]*', made)) == {"http://www.w3.org/2000/svg"}
    for word in ("<script", "<link", "<img", "src=", "url(", "@import", "javascript:", "onload"):
        assert word not in made
    policies = [meta.get("content") for meta in parsed(made).iter("meta") if meta.get("http-equiv")]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'"]


def test_it_fits_any_screen_in_light_and_dark(slot):
    made = page(slot)

    assert "width=device-width" in made
    assert "prefers-color-scheme: dark" in made


def test_the_same_slot_gives_the_same_bytes_also_after_it_was_packed(slot):
    assert page(slot) == page(slot) == page(unpack(pack(slot), slot.name))


def test_hostile_names_are_shown_and_do_nothing(slot):
    about = msgspec.structs.replace(
        slot.about,
        takes=[HOSTILE] * 6,
        architecture=HOSTILE,
        corpus=HOSTILE * 100,
        versions={HOSTILE: HOSTILE},
        training={HOSTILE: HOSTILE, "deep": [[HOSTILE]]},
    )
    made = page(
        replace(slot, name=HOSTILE, about=about),
        rejected=[(HOSTILE, f"{HOSTILE}: {HOSTILE}")],
        seconds={HOSTILE: 1.0},
    )

    root = parsed(made)
    assert not list(root.iter("script"))
    assert '<script>alert("1")</script>?[31m&amp;?.wav' in [text_of(cell) for cell in root.iter("bdi")]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_corpus_of_one_to_three_takes_has_a_whole_report(count):
    made = page(learned(*(pattern(GROOVES[n]) for n in range(count))))

    root = parsed(made)
    assert [section.get("id") for section in root.iter("section")] == CHAPTERS
    assert "nan" not in made
    assert len(list(chapter(root, "takes").iter("li"))) == count


@pytest.mark.parametrize(
    ("ours", "theirs", "says"),
    [
        (2, 8, "Yes, 4.0 times nearer to your loops"),
        (0, 8, "Yes: at random positions what plays is 0.0 steps from the nearest take"),
        (8, 8, "No: at random positions what plays is 8.0 steps"),
        (9, 8, "No: "),
        (0, 0, "There is nothing to compare"),
    ],
)
def test_whether_it_beats_a_randomiser_is_said_as_it_is(slot, ours, theirs, says):
    seen = replace(survey(slot), places=np.full(9, ours), shuffled=np.full(9, theirs))

    assert better(seen).startswith(says)


def test_three_voices_are_three_colours(drums):
    root = parsed(page(drums))

    classes = " ".join(path.get("class") for path in chapter(root, "knobs").iter(f"{SVG}path"))
    assert all(f"v{voice} s" in classes for voice in range(3))
    assert "low, middle and high hits one above the other" in text_of(chapter(root, "knobs"))


def test_a_slot_without_takes_says_so(slot):
    assert "keeps no takes" in text_of(parsed(page(grown(slot, 0))))


def still(slot, *knobs):
    """A slot some of whose knobs lead nowhere."""
    points = slot.decoder.knob_map.points.copy()
    points[list(knobs)] = 0
    return replace(slot, decoder=Decoder(KnobMap(points), slot.decoder.network, slot.about.voices))


def test_with_two_knobs_there_is_the_plain_plane_alone(slot):
    root = parsed(page(still(slot, 2, 3)))

    assert len(list(chapter(root, "map").iter("h3"))) == 1
    assert "C and D change nothing." in text_of(root)


def test_knobs_that_change_nothing_are_said_to(slot):
    root = parsed(page(still(slot, 0, 1, 2, 3)))

    assert "No knob changes a hit" in text_of(root)
    assert "nan" not in text_of(root)


def test_two_thousand_takes_are_a_page_of_bounded_size_that_says_what_it_shows(drums):
    made = page(grown(drums, 2000, "a name that is longer than anybody would want to read " * 4 + "{}.wav"))

    root = parsed(made)
    assert len(made.encode()) < 2_000_000
    assert "200 takes of 2000 are shown" in text_of(chapter(root, "takes"))
    assert "600 takes of 2000" in text_of(chapter(root, "map"))
    assert len(list(chapter(root, "takes").iter("li"))) == 200


def test_many_trainings_long_curves_and_many_refusals_are_bounded_too(slot):
    trainings = [Training(seed, slot.about.playability, [1.0] * 5000) for seed in range(500)]
    refused = [(f"{n}.wav", "x" * 10_000) for n in range(5000)]

    made = page(slot, trainings=trainings, rejected=refused)

    assert len(made.encode()) < 2_000_000
    assert "the first 200 are shown" in made
    assert "1 kept" in text_of(chapter(parsed(made), "figures"))


def test_every_training_is_told_with_its_losses_and_figures(corpus):
    learned = learn(corpus, 3, trainings=2, epochs=5)
    trainings = trainings_of(learned)

    assert [training.seed for training in trainings] == [3, 4]
    assert [len(training.losses) for training in trainings] == [5, 5]
    kept = [training for training in trainings if training.seed == learned.slot.about.seed]
    assert [training.report for training in kept] == [learned.slot.about.playability]
    assert all(training.report for training in trainings)


@pytest.fixture
def stick(tmp_path):
    """Two loops, and a file that is none."""
    write(tmp_path / "stick" / "one-120bpm.wav", beats())
    write(tmp_path / "stick" / "two-120bpm.wav", beats("x..x..x...x.x..." * 2))
    (tmp_path / "stick" / "text.wav").write_text("this is no sound")
    return str(tmp_path / "stick")


def test_learn_and_slots_write_a_report(home, stick, tmp_path, capsys):
    first, second = tmp_path / "new" / "learned.html", tmp_path / "slot.html"

    learning = ["learn", stick, "--slot", "2", "--epochs", "20", "--trainings", "2", "--report", str(first)]
    assert main(learning) == 0
    assert main(["slots", "report", "2", "-o", str(second)]) == 0

    assert str(first) in capsys.readouterr().err
    root = parsed(first.read_text())
    assert text_of(root.find(".//h1")) == "Fathom: slot 2"
    assert "text.wav" in text_of(chapter(root, "left-out"))
    assert "moved to where it leans" in text_of(chapter(root, "takes"))
    assert re.search(r"1 one-120bpm.wav 120 BPM, \d bars?", text_of(chapter(root, "takes")))
    assert len(list(chapter(root, "training").iter(f"{SVG}polyline"))) == 2
    assert [section.get("id") for section in parsed(second.read_text()).iter("section")] == CHAPTERS


def test_a_report_that_cannot_be_written_is_refused_before_anything_is_learned(home, stick, tmp_path, capsys):
    assert main(["learn", stick, "--slot", "2", "--report", str(tmp_path)]) == 1

    assert capsys.readouterr().err.strip() == f"{tmp_path}: Is a directory"
    assert not (home / "slots" / "slot-02.safetensors").exists()
