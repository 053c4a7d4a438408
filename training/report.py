"""What the report of a slot says: what was heard, what the knobs do, whether it beats a randomiser.

One page of HTML from a slot alone, and more where it was just learned. Measures nothing that `survey` does
not, and writes no file. The same slot gives the same page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from device.pattern import STEPS, Pattern
from device.slot import NOT_MEANT, Report, Slot
from training import drawing, gallery
from training.architectures import DEFAULT
from training.attributes import FIRST
from training.learn import Learned
from training.markup import Markup, document, given_name, joined, lines, section, short, table, tag
from training.playability import NEAR
from training.survey import Survey, knob_attributes, survey
from training.wording import LETTERS, better, chosen, counted, do_all, followed, listed, part_of

SHOWN_REJECTED = 200
LONGEST_REASON = 300  # characters
SHOWN_TRAININGS = 40
CURVE_POINTS = 160  # of a loss curve

# What the figures are to reach, with so many takes and more.
ENOUGH = 100
REACH, TRAVEL, LIKENESS, SILENCE = 0.98, 16, 0.30, 0.005
MEANING = {"A": 0.95, "B": 0.90, "C": 0.85}


@dataclass(frozen=True)
class Training:
    """One training of several: its seed, and what is known of it. Losses are means of every epoch."""

    seed: int
    report: Report | None = None
    losses: Sequence[float] = ()
    held_losses: Sequence[float] = ()


def trainings_of(learned: Learned) -> list[Training]:
    """Every training of a learning, in its order; what is known of takes held back, with the one kept."""
    found = []
    for training in learned.trainings:
        best = training is learned.best
        rehearsed = learned.rehearsal.model.held_losses if best and learned.rehearsal else ()
        report = learned.slot.about.playability if best else training.report
        found.append(Training(training.seed, report, training.model.losses, rehearsed))
    return found


def page(
    slot: Slot,
    takes: Sequence[Pattern] = (),
    heard: Mapping[str, str] | None = None,
    trainings: Sequence[Training] = (),
    rejected: Sequence[tuple[str, str]] = (),
    seconds: Mapping[str, float] | None = None,
) -> str:
    """The report of a slot as HTML.

    takes : the takes in the slot's order, where they are at hand; a slot keeps their hits alone
    heard : tempo and bars of loops, by their names
    trainings : all that were made; the one with the slot's seed was chosen
    rejected : files that were left out, each with the reason
    seconds : how long what took
    """
    trainings = trainings or [Training(slot.about.seed, slot.about.playability)]
    title = f"Fathom: {short(slot.name)}"
    if not len(slot.hits):
        nothing = tag("p", "This slot keeps no takes: there is nothing to show.")
        return document(title, tag("main", tag("h1", title), nothing))
    seen = survey(slot)
    chapters = [
        ("Figures", _figures(slot, trainings)),
        ("Knobs", gallery.knobs(slot, seen)),
        ("Map", gallery.map_of_takes(slot, seen)),
        ("Randomiser", gallery.randomiser(seen)),
        ("Takes", gallery.takes_heard(slot, takes, heard or {}, seen)),
        *([("Left out", _left_out(rejected))] if rejected else []),
        ("Training", _training(slot, trainings)),
        ("Receipt", _receipt(slot, seconds)),
    ]
    links = (tag("li", tag("a", called, href=f"#{anchor_of(called)}")) for called, _ in chapters)
    contents = tag("nav", tag("ul", *links), aria_label="Contents")
    head = tag("header", tag("h1", title), _in_short(slot, seen, len(rejected)), contents)
    body = (section(anchor_of(called), *chapter) for called, chapter in chapters)
    return document(title, head, tag("main", *lines(body)))


def anchor_of(chapter: str) -> str:
    return chapter.lower().replace(" ", "-")


def _in_short(slot: Slot, seen: Survey, rejected: int) -> Markup:
    """The answers to what players ask, in a few sentences."""
    names = slot.about.takes
    heard = f"{counted(len(names), 'take')} of two bars from {counted(len(set(names)), 'loop')}"
    heard += f"; {counted(rejected, 'file')} left out." if rejected else "."
    report, ours = slot.about.playability, slot.about.architecture == DEFAULT
    exact, near = int((seen.off == 0).sum()), round(report.reach * len(names))
    back = f" The knobs give back {exact} of {len(names)} to the step"
    back += f", {near} but for {NEAR} steps of a voice." if near > exact else "."
    return tag(
        "ul",
        tag("li", tag("b", "What did the machine hear? "), heard, back),
        tag("li", tag("b", "What do the knobs do? "), do_all(seen, report, ours)),
        tag("li", tag("b", "Is it better than a randomiser? "), better(seen)),
        class_="says",
    )


# --- figures ---------------------------------------------------------------------------------------------


class Figure(NamedTuple):
    """A figure of playability: what it means, what it is here, and what it is to reach, if anything."""

    title: str
    says: str
    value: str
    target: str = ""
    reached: bool | None = None

    def row(self) -> tuple[str, ...]:
        head = joined((self.title, tag("small", self.says)))
        if self.reached is None:
            return (head, self.value, tag("span", "none", class_="soft"))
        verdict = (
            tag("small", "reached", class_="yes") if self.reached else tag("small", "not yet", class_="no")
        )
        return (head, self.value, joined((tag("span", self.target, class_="short"), tag("br"), verdict)))


def _figures(slot: Slot, trainings: Sequence[Training]) -> tuple[str, ...]:
    few = len(slot.hits) < ENOUGH
    note = f"The targets are set for {ENOUGH} takes and more"
    note += f"; with {counted(len(slot.hits), 'take')} they are a direction." if few else "."
    caption = "How it plays: each figure, what it means, and what it is to reach"
    made = table(caption, ("Figure", "Here", "Target"), [figure.row() for figure in figures(slot)])
    several = [_trainings(slot, trainings)] if len(trainings) > 1 else []
    return ("Figures", tag("p", note, class_="soft"), made, *several)


def figures(slot: Slot) -> list[Figure]:
    """Every figure of a slot's report."""
    report = slot.about.playability
    attributes = dict(zip(LETTERS, knob_attributes(slot), strict=True))
    return [
        Figure(
            "Reach",
            f"Share of your takes that some position of the knobs gives back, all but {NEAR} of {STEPS} "
            "steps of each voice.",
            f"{report.reach:.2f}",
            f"≥ {REACH:.2f}",
            report.reach >= REACH,
        ),
        *(
            _meaning(short(knob), value, attributes.get(knob))
            for knob, value in sorted(report.meaning.items())
        ),
        Figure(
            "Travel",
            "How many patterns lie on a full turn of A, B, C and D, on average.",
            listed(report.travel),
            f"≥ {TRAVEL} each",
            min(report.travel, default=0) >= TRAVEL,
        ),
        Figure(
            "Evenness",
            "Steps that change within a 128th of a turn, in all but one of 100 places. Few is smooth.",
            listed(report.evenness),
        ),
        Figure(
            "Likeness",
            "Distance from random positions to the nearest take, over the same with the steps shuffled. 0 is "
            "your loops themselves, 1 a randomiser.",
            f"{report.likeness:.2f}",
            f"≤ {LIKENESS:.2f}",
            report.likeness <= LIKENESS,
        ),
        Figure(
            "Silence",
            "Share of positions at which nothing plays.",
            f"{report.silence:.3f}",
            f"≤ {SILENCE:.3f}",
            report.silence <= SILENCE,
        ),
        Figure(
            "Held-out",
            "How well takes are given back that were kept out of the training, 1 at best.",
            "too few takes" if report.heldout_f1 is None else f"{report.heldout_f1:.2f}",
        ),
    ]


def _meaning(knob: str, value: float, attribute: str | None) -> Figure:
    if attribute in NOT_MEANT:
        usual = followed(dict(zip(LETTERS, FIRST, strict=False)).get(knob, ""))
        says = f"How surely turning {knob} up {usual.does}. It is not for that here: to compare with."
        return Figure(f"Meaning of {knob}", says, f"{value:.2f}")
    what = followed(attribute).does if attribute else "does what it is said to"
    says = f"How surely turning {knob} up {what}, wherever the others stand: 1 always, 0 as often as not."
    least = MEANING.get(knob)
    if least is None:
        return Figure(f"Meaning of {knob}", says, f"{value:.2f}")
    return Figure(f"Meaning of {knob}", says, f"{value:.2f}", f"≥ {least:.2f}", value >= least)


def _trainings(slot: Slot, trainings: Sequence[Training]) -> Markup:
    """A row for each training, the one that was kept marked; what is not known of one is a dash."""
    shown = chosen(len(trainings), SHOWN_TRAININGS)
    kept = next((i for i, training in enumerate(trainings) if training.seed == slot.about.seed), None)
    if kept is not None and kept not in shown:
        shown = sorted([*shown[:-1], kept])
    knobs = sorted(slot.about.playability.meaning)
    heads = ["Seed", "Reach", *(f"Meaning {short(knob)}" for knob in knobs)]
    heads += ["Travel", "Likeness", "Silence", "Held-out", "Loss"]
    rows = []
    for index in shown:
        training = trainings[index]
        mark = tag("span", "kept", class_="yes") if index == kept else ""
        loss = f"{training.losses[-1]:.3g}" if len(training.losses) else "–"
        known = _known(training.report, knobs) if training.report else ["–"] * (len(heads) - 2)
        rows.append([joined((f"{training.seed} ", mark)), *known, loss])
    caption = f"{counted(len(trainings), 'training')}, the best is kept"
    if len(shown) < len(trainings):
        caption += f"; {len(shown)} are shown"
    return table(caption, heads, rows, class_="many")


def _known(report: Report, knobs: Sequence[str]) -> list[str]:
    held = "–" if report.heldout_f1 is None else f"{report.heldout_f1:.2f}"
    meaning = [f"{report.meaning[knob]:.2f}" if knob in report.meaning else "–" for knob in knobs]
    rest = [listed(report.travel), f"{report.likeness:.2f}", f"{report.silence:.3f}", held]
    return [f"{report.reach:.2f}", *meaning, *rest]


# --- what was left out, training, receipt ----------------------------------------------------------------


def _left_out(rejected: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    shown = rejected[:SHOWN_REJECTED]
    reasons = (short(reason.removeprefix(f"{file}: "), LONGEST_REASON) for file, reason in shown)
    rows = [(given_name(file), reason) for (file, _), reason in zip(shown, reasons, strict=True)]
    caption = f"{counted(len(rejected), 'file')} that nothing was learned from"
    caption += f"; the first {len(shown)} are shown" if len(shown) < len(rejected) else ""
    return ("What was left out", table(caption, ("File", "Reason"), rows))


def _training(slot: Slot, trainings: Sequence[Training]) -> tuple[str, ...]:
    """Loss curves of all trainings, the one that was kept on top."""
    title = "How it learned"
    drawn = [
        training for training in trainings if len(training.losses) and np.isfinite(training.losses).all()
    ]
    if not drawn:
        loss = slot.about.training.get("loss")
        last = f" That of the last was {loss:.4g}." if isinstance(loss, float) else ""
        return (title, tag("p", f"The losses of its epochs are not kept in the slot.{last}"))
    kept = [training for training in drawn if training.seed == slot.about.seed]
    others = [training for training in drawn if training.seed != slot.about.seed]
    shown = others[:SHOWN_TRAININGS]
    curves = [curve for training in shown for curve in _curves(training, "idle", "idle")]
    curves += [curve for training in kept for curve in _curves(training, "curve", "other")]
    log = all(curve.y.min() > 0 for curve in curves)
    says = "How wrong the network was, epoch by epoch" + (", on a logarithmic scale." if log else ".")
    for training in kept:
        says += f" It fell from {training.losses[0]:.3g} to {training.losses[-1]:.3g} in"
        says += f" {counted(len(training.losses), 'epoch')}"
        held = training.held_losses
        says += f"; of takes that were held out, to {held[-1]:.3g}." if len(held) else "."
    legend = "Red: the training that was kept." if kept else ""
    if shown:
        legend += f" Grey: {counted(len(shown), 'other')}{part_of(len(shown), len(others))}."
    if any(len(training.held_losses) for training in (*shown, *kept)):
        legend += " Dashed: takes that were held out."
    picture = drawing.chart(curves, ("epoch", "loss"), log, "Loss by epoch", says)
    return (title, tag("p", says), tag("figure", picture, tag("figcaption", legend.strip())))


def _curves(training: Training, class_: str, held_class: str) -> list[drawing.Line]:
    called = f"seed {training.seed}"
    made = [_curve(training.losses, class_, called)]
    if len(training.held_losses):
        made.append(_curve(training.held_losses, f"{held_class} dashed", f"{called}, held out"))
    return made


def _curve(losses: Sequence[float], class_: str, called: str) -> drawing.Line:
    """A curve of at most CURVE_POINTS points, each the mean of its epochs."""
    values = np.asarray(losses, float)
    starts = np.linspace(0, len(values), min(CURVE_POINTS, len(values)), endpoint=False).astype(int)
    sizes = np.diff([*starts, len(values)])
    return drawing.Line(starts + (sizes + 1) / 2, np.add.reduceat(values, starts) / sizes, class_, called)


def _receipt(slot: Slot, seconds: Mapping[str, float] | None) -> tuple[str, ...]:
    """From what and how the slot was made."""
    about = slot.about
    layers = slot.decoder.network.layers
    sizes = " – ".join(str(size) for size in (layers[0].inputs, *(layer.outputs for layer in layers)))
    recipe = {key: value for key, value in about.training.items() if isinstance(value, int | float | str)}
    rows = {
        "Seed": f"{about.seed}",
        "Corpus": about.corpus,
        "Takes": f"{len(about.takes)}",
        "Voices": f"{about.voices}",
        "Architecture": about.architecture,
        "Decoder": f"{sizes}, integers",
        "Training": _pairs(recipe),
        "Versions": _pairs(about.versions),
    }
    if seconds:
        rows["Seconds"] = _pairs({what: f"{value:.1f}" for what, value in seconds.items()}, ordered=False)
    listing = (part for key, value in rows.items() for part in (tag("dt", key), tag("dd", short(value))))
    says = "The same loops, seed and versions give the same slot, byte for byte, on one kind of machine."
    return ("Receipt", tag("p", says), tag("dl", *listing))


def _pairs(values: Mapping[str, object], ordered: bool = True) -> str:
    names = sorted(values) if ordered else values
    return ", ".join(f"{name} {values[name]}" for name in names)
