"""The panel's language: what knobs and buttons do, alone and together. Knows no pins and plays nothing.

PLAY starts when it is pressed and stops when it is let go, so that it can be held while knobs turn; SHIFT,
PLAY and SLOT each give the four knobs a layer of other things to turn.
"""

from __future__ import annotations

from collections.abc import Sequence

from device.clock import NS_PER_MS
from device.desk import Desk
from device.specs import KNOB_NAMES
from device.takeover import taken_over
from hw.panel import Panel
from hw.sim import SimKnobs

TWICE_NS = 400 * NS_PER_MS  # between two presses that are a double one
LAYERS = ("SHIFT", "PLAY", "SLOT")  # when two are held, the first of them counts


class Hands:
    """Follows knobs, CV and buttons of a panel and puts what they ask for on the desk."""

    def __init__(self, panel: Panel, desk: Desk) -> None:
        self.panel = panel
        self.desk = desk
        self._at = list(panel.knobs.values)  # where each knob was when it last moved something
        self._places: dict[str, float] = {}  # of targets that knobs turn, finer than their values
        self._held: dict[str, bool] = {}  # buttons that are down, and whether something was done with them
        self._shifted = -TWICE_NS  # when SHIFT was pressed last
        self._started = False  # by the press of PLAY that is still held

    @property
    def layer(self) -> str:
        """The button whose layer the knobs turn; "" for their own."""
        return next((button for button in LAYERS if button in self._held), "")

    def follow(self) -> None:
        """Take over from the knobs what has moved. A slack job."""
        knobs = self.panel.knobs
        self.desk.patch(knobs.cv)
        for knob, (before, now) in enumerate(zip(self._at, knobs.values, strict=True)):
            if now != before:  # the filter of a real knob lets only hands through
                self._at[knob] = now
                self._turn(knob, before, now)

    def put(self, knob: int, place: float) -> None:
        """Put a knob somewhere by a message: a simulated one goes there, a real one takes over later."""
        if isinstance(self.panel.knobs, SimKnobs):
            self.panel.knobs.turn(knob, place)
            self._at[knob] = self.panel.knobs.values[knob]
        self.desk.turn(knob, place)

    def press(self) -> None:
        """Do what the buttons ask for. A slack job."""
        for button, action in self.panel.buttons.presses():
            if action == "press":
                self._press(button)
            elif action == "hold" and button in self._held:
                self._hold(button)
            elif action == "release" and button in self._held:
                self._release(button)

    def _turn(self, knob: int, before: float, now: float) -> None:
        desk, settings = self.desk, self.desk.player.settings
        layer = self.layer
        if layer:
            self._held[layer] = True
        targets: Sequence[str] = {
            "": KNOB_NAMES,
            "SHIFT": settings.shift,
            "PLAY": settings.play_layer,
            "SLOT": settings.slot_layer,
        }[layer]
        target = targets[knob]
        key = f"{desk.voice}.{target}"
        place = self._places.get(key)
        if place is None or not desk.same(target, place):  # it was set elsewhere, or never turned
            place = desk.share_of(target)
        if place is None:
            place = before
        place = self._places[key] = taken_over(place, before, now, settings.takeover)
        if not desk.same(target, place):
            desk.move(target, place)

    def _press(self, button: str) -> None:
        desk = self.desk
        if button != "SHIFT" and "SHIFT" in self._held:
            self._held["SHIFT"] = True
            self._held[button] = False
            if button == "PLAY":
                desk.tap()
                self._held[button] = True
            return
        self._held[button] = False
        if button == "SHIFT":
            now = self.panel.time.now()
            if now - self._shifted < TWICE_NS:
                desk.hold()
                now = -TWICE_NS
            self._shifted = now
        elif button == "PLAY" and not desk.player.playing:
            desk.transport.toggle()
            self._held[button] = self._started = True

    def _hold(self, button: str) -> None:
        desk, shifted = self.desk, "SHIFT" in self._held
        if button == "PLAY" and self._started:
            self._started = False
            desk.transport.rewind()
        if self._held[button]:
            return
        self._held[button] = True
        if shifted and button == "SLOT":
            desk.redo()
        elif shifted and button == "LEARN":
            desk.go_home()
        elif button == "PLAY" and not shifted:
            desk.transport.rewind()

    def _release(self, button: str) -> None:
        desk, shifted = self.desk, "SHIFT" in self._held
        done = self._held.pop(button)
        self._started = self._started and button != "PLAY"
        if done:
            return
        if shifted and button == "SLOT":
            desk.undo()
        elif shifted and button == "LEARN":
            desk.generate()
        elif button == "PLAY":
            desk.transport.toggle()
        elif button == "SLOT" and desk.player.library:
            desk.choose_next()
