"""Draws what was heard in a loop as a picture: the sound, its hits, the grid and the steps. Hears nothing."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np

from device.pattern import STEPS_PER_BAR, STEPS_PER_BEAT
from training.hear import WAVE_FULL, Heard

PAPER, INK, FAINT, WAVE, HIT = "#faf8f4", "#2b2a28", "#d9d4ca", "#9fb3c0", "#c8502d"
VOICES = ("#c8502d", "#3b6e8f", "#8a7a2e")  # low, middle, high; the first alone for one voice
NAMES = ("low", "middle", "high")
SIZE, DPI = (12.0, 5.6), 110  # inches, dots per inch


def draw(heard: Heard, path: Path | str) -> None:
    """Write a PNG of one heard loop; a refused loop gives a picture of its sentence."""
    logging.getLogger("matplotlib").setLevel(
        logging.ERROR
    )  # a HOME that cannot be written is no concern of ours
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # late, and no global state
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE, dpi=DPI, facecolor=PAPER)
    FigureCanvasAgg(figure)
    name = Path(heard.file).name
    figure.text(0.05, 0.935, _plain(name), fontsize=14, fontweight="bold", color=INK)
    if heard.ok and heard.grid is not None:
        bars = "1 bar" if heard.bars == 1 else f"{heard.bars} bars"
        says = f"{heard.bpm:.5g} BPM    {bars}    {heard.confidence:.0%} sure"
        figure.text(0.95, 0.935, says, fontsize=14, color=INK, ha="right")
        figure.text(0.05, 0.89, _plain("; ".join(heard.evidence)), fontsize=9.5, color=INK, alpha=0.7)
        above = figure.add_axes((0.05, 0.45, 0.90, 0.37))
        _sound(above, heard)
        _steps(figure.add_axes((0.05, 0.09, 0.90, 0.27), sharex=above), heard)
    else:
        figure.text(0.05, 0.5, _plain(heard.error or "nothing was heard"), fontsize=12, color=HIT, wrap=True)
    figure.savefig(path, format="png")


def _plain(text: str) -> str:
    """Text without the dollar signs that would be read as mathematics."""
    return text.replace("$", r"\$")


def _position(heard: Heard, seconds: np.ndarray) -> np.ndarray:
    assert heard.grid is not None
    return (seconds - heard.grid.start_s) / heard.grid.step_s


def _bare(axes: Any) -> None:
    axes.set_facecolor(PAPER)
    for side in axes.spines.values():
        side.set_visible(False)
    axes.tick_params(length=0, labelsize=9, labelcolor=INK)


def _grid(axes: Any, steps: int) -> None:
    for step in range(steps + 1):
        heavy = step % STEPS_PER_BAR == 0
        beat = step % STEPS_PER_BEAT == 0
        axes.axvline(step, color=INK if heavy else FAINT, lw=1.2 if heavy else 0.9 if beat else 0.4, zorder=0)


def _sound(axes: Any, heard: Heard) -> None:
    """The outline of the sound over the steps, and a stem as high as its velocity at each onset."""
    steps = (heard.bars or 1) * STEPS_PER_BAR
    _bare(axes)
    _grid(axes, steps)
    count = heard.wave.shape[1]
    seconds = np.arange(count) * (heard.duration_s or 0.0) / max(count, 1)
    at = _position(heard, seconds)
    axes.fill_between(at, heard.wave[0] / WAVE_FULL, heard.wave[1] / WAVE_FULL, color=WAVE, lw=0.3, zorder=1)
    onsets = _position(heard, heard.onsets_s)
    axes.vlines(onsets, 0, heard.levels, color=HIT, lw=1.1, zorder=2)
    axes.plot(onsets, heard.levels, "o", color=HIT, ms=4, zorder=3)
    axes.set_ylim(-1.05, 1.1)
    axes.set_yticks([])
    axes.set_xlim(-1.0, max(steps + 0.3, float(at[-1]) if count else 0.0))
    beats = range(0, steps, STEPS_PER_BEAT if steps <= 128 else STEPS_PER_BAR)
    labels = [f"{s // STEPS_PER_BAR + 1}.{s % STEPS_PER_BAR // STEPS_PER_BEAT + 1}" for s in beats]
    axes.set_xticks(list(beats), labels, ha="left")
    axes.set_title(f"{len(onsets)} onsets in {heard.duration_s:.3f} s", fontsize=10, color=INK, loc="left")


def _steps(axes: Any, heard: Heard) -> None:
    """Each voice's steps, a bar as high as the velocity and shifted by the offset, a dot on its step."""
    steps = (heard.bars or 1) * STEPS_PER_BAR
    hits, levels, offsets = heard.placed
    _bare(axes)
    _grid(axes, steps)
    voices = len(hits)
    for voice in range(voices):  # low at the bottom
        on = np.flatnonzero(hits[voice])
        axes.axhline(voice, color=FAINT, lw=0.8, zorder=0)
        axes.bar(
            on + offsets[voice, on],
            0.85 * levels[voice, on],
            0.55,
            bottom=voice,
            color=VOICES[voice],
            zorder=2,
        )
        axes.plot(on, np.full(len(on), voice), "o", color=INK, ms=2.5, zorder=3)
    axes.set_ylim(-0.15, voices)
    axes.set_yticks(
        [r + 0.4 for r in range(voices)] if voices > 1 else [], NAMES[:voices] if voices > 1 else []
    )
    axes.tick_params(labelbottom=False)
    swing = heard.grid.swing if heard.grid else 0.5
    says = f"{int(hits.sum())} hits on {steps} steps: height is velocity, a shift from the dot is the offset"
    says += f"; swing {swing:.0%}" if abs(swing - 0.5) > 0.02 else ""
    moved = heard.overrides.get("shift", 0)
    says += f"; moved by {moved:+d} on your word" if moved else ""
    axes.set_title(says, fontsize=10, color=INK, loc="left")
