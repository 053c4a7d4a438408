"""The panel's language: what knobs and buttons do, alone and together. Knows no pins and plays nothing.

PLAY starts when it is pressed and stops when it is let go, so that it can be held while knobs turn; SHIFT,
PLAY, SLOT and LEARN each give the four knobs a layer of other things to turn. Whether a press is one with
SHIFT is settled when the button goes down: it does not matter which of the two is let go first. SLOT and
LEARN together are for the stick that is in: let go, they ask for a backup; held for three seconds, to restore
one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from device.clock import NS_PER_MS
from device.desk import Desk
from device.errors import ModelError
from device.settings import ACTIONS, Settings
from device.specs import KNOB_NAMES
from device.takeover import taken_over
from device.travel import ON
from hw.panel import Panel
from hw.sim import SimKnobs

TWICE_NS = 400 * NS_PER_MS  # between two presses that are a double one
LONG_BOTH_NS = 3000 * NS_PER_MS  # of SLOT and LEARN held together: nobody does so by accident
BOTH = {"SLOT": "LEARN", "LEARN": "SLOT"}
REST_NS = 250 * NS_PER_MS  # a knob that moved a shorter time ago is still in the same hand
LAYERS = ("SHIFT", "PLAY", "SLOT", "LEARN")  # when two are held, the first of them counts

# What a button does when it is let go, alone and with SHIFT, if no knob was turned meanwhile ...
SHORT = {
    ("PLAY", False): "stop",
    ("SLOT", False): "next",
    ("SLOT", True): "undo",
    ("LEARN", False): "train",
    ("LEARN", True): "generate",
}
# ... and when it is held for long. PLAY waits until it is let go: a knob may yet be turned.
LONG = {
    ("PLAY", False): "rewind",
    ("SLOT", True): "redo",
    ("LEARN", False): "cancel",
    ("LEARN", True): "home",
}


@dataclass
class Press:
    """A button that is down: whether SHIFT was when it went down, and what letting it go will do."""

    shifted: bool
    deed: str
    used: bool = False  # for something else: letting it go does nothing


class Hands:
    """Follows knobs, CV and buttons of a panel and puts what they ask for on the desk."""

    def __init__(self, panel: Panel, desk: Desk) -> None:
        self.panel = panel
        self.desk = desk
        self.complaint = ""  # what the last press asked for and could not be done
        self._at = list(panel.knobs.values)  # where each knob was when it last moved something
        self._returns = panel.knobs.returns
        self._turned = [("", -REST_NS)] * len(KNOB_NAMES)  # in which layer each was turned last, and when
        self._places: dict[str, float] = {}  # of targets that knobs turn, finer than their values
        self._held: dict[str, Press] = {}
        self._both: int | None = None  # since when SLOT and LEARN are down together, for nothing else
        self._shifted = -TWICE_NS  # when SHIFT was pressed last, for nothing else
        desk.patch(panel.knobs.cv)

    @property
    def layer(self) -> str:
        """The button whose layer the knobs turn; "" for their own."""
        return next((button for button in LAYERS if button in self._held), "")

    def follow(self) -> None:
        """Take over from the knobs what has moved. A slack job."""
        knobs = self.panel.knobs
        self.desk.patch(knobs.cv)
        if self._returns != knobs.returns:  # they are somewhere else, and no hand has turned them
            self._returns, self._at = knobs.returns, list(knobs.values)
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
                self._hold(button, self._held[button])
            elif action == "release" and button in self._held:
                self._release(button, self._held.pop(button))
        if self._both is not None and self.panel.time.now() - self._both >= LONG_BOTH_NS:
            self._both = None
            self._act("restore")

    # --- knobs -------------------------------------------------------------------------------------------

    def _turn(self, knob: int, before: float, now: float) -> None:
        desk, settings = self.desk, self.desk.player.settings
        target = self._layer_of(knob, settings)[knob]
        if target in ACTIONS:
            if before < ON <= now:
                self._act(target)
            return
        parts = desk.parts(target)
        moved = {}
        for part in parts:
            place = self._places.get(part)
            if place is None or not desk.same(part, place):  # it was set elsewhere, or never turned
                place = desk.share_of(part)
            if place is None:
                place = before
            place = self._places[part] = taken_over(place, before, now, settings.takeover)
            if not desk.same(part, place):
                moved[part] = place
        if moved and len(parts) > 1:
            desk.move_each(target, moved)
        elif moved:
            desk.move(target, moved[parts[0]])

    def _layer_of(self, knob: int, settings: Settings) -> Sequence[str]:
        """What the knobs turn. One that is being turned when a button goes down or up stays what it was."""
        layer, then = self._turned[knob]
        now = self.panel.time.now()
        if now - then >= REST_NS:
            layer = self.layer
        self._turned[knob] = (layer, now)
        if layer and layer == self.layer:
            self._both = None
            for press in self._held.values():
                press.used = True
        layers = {"SHIFT": settings.shift, "PLAY": settings.play_layer, "SLOT": settings.slot_layer}
        layers["LEARN"] = settings.learn_layer
        return layers.get(layer, KNOB_NAMES)

    # --- buttons -----------------------------------------------------------------------------------------

    def _press(self, button: str) -> None:
        desk, shift = self.desk, self._held.get("SHIFT")
        shifted = button != "SHIFT" and shift is not None
        press = self._held[button] = Press(shifted, SHORT.get((button, shifted), ""))
        other = self._held.get(BOTH.get(button, ""))
        if other and not shifted and not other.shifted and not other.used:
            press.used = other.used = True
            self._both = self.panel.time.now()
        elif shift is not None and shifted:
            shift.used = True
            if button == "PLAY":
                press.used = True
                desk.tap()
        elif button == "SHIFT":
            now = self.panel.time.now()
            twice = now - self._shifted < TWICE_NS
            self._shifted = -TWICE_NS if twice else now
            if twice:
                desk.hold()
        elif button == "PLAY" and not desk.player.playing:
            press.deed = ""
            desk.transport.toggle()

    def _hold(self, button: str, press: Press) -> None:
        if press.used:
            return
        press.deed = LONG.get((button, press.shifted), "")
        if button != "PLAY":
            press.used = True
            self._act(press.deed)

    def _release(self, button: str, press: Press) -> None:
        if button in BOTH and self._both is not None:
            self._both = None
            self._act("backup")
        if button == "SHIFT" and press.used:  # not the first of two
            self._shifted = -TWICE_NS
        if not press.used:
            self._act(press.deed)

    def _act(self, action: str) -> None:
        """Do what a hand asks for; what cannot be done is said in `complaint`."""
        self.complaint = ""
        if action:
            try:
                self.desk.act(action)
            except ModelError as error:
                self.complaint = str(error)
