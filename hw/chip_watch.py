"""Tells the readings of an MCP3008 from those of a loose wire. Reads nothing itself and knows no time.

What a reply says of who gave it. While the chip is not asked for data its output is off, so the first byte is
what the wire's pull makes of it: all ones with `gpio=9=pu` in config.txt, all zeros without. Before its ten
bits a chip that is there drives one bit low, the null bit. So, with the pull-up:

- null bit high: nobody answers.
- null bit low after ones: a chip, whatever it says, also zeros everywhere. One that has answered so, and then
  with zeros in the first byte, has lost its wire to something that holds it low.
- first byte neither ones nor zeros: the wire floats, or the chip is asked through a wire that is loose.

Without the pull-up nobody answers with zeros, which is also what knobs say that stand at their ends. Then
zeros on every channel are believed only of a chip that has said something else.

A chip that is stuck, or has lost its power without the pull-up, says one thing on every channel. So do four
knobs alike and four jacks without a cable: that alone is nothing strange. But hands do not turn several knobs
to the same count between their ends within a round: a leap is believed when it is seen again, unless another
channel leaped as well and nothing else was heard meanwhile.
"""

from __future__ import annotations

from hw.table import CHANNELS, COUNTS, KNOBS

LEAP = 64  # counts: nobody turns so far between two readings, but a wire that comes off does
REGAIN = (
    4 * CHANNELS
)  # good readings in a row after which a chip is trusted: noise on a wire gives no such run
DOUBT = CHANNELS  # readings without trust after which that is said: fewer are a spark
NULL_BIT = 0x04  # of the second byte
ONES, ZEROS = 0xFF, 0x00  # the first byte
MIXED = range(2, 7)  # ones in a first byte that floats; one bit may be late where the pull is weak
ADVICE = "Look at its wiring and that config.txt has `dtparam=spi=on` and `gpio=9=pu`."


class ChipWatch:
    """`complaint` is a sentence while there is no chip to be trusted, or empty; `returns` counts its ends."""

    def __init__(self) -> None:
        self.complaint = ""
        self.returns = 0  # how often a chip was trusted (again) after a complaint, or for the first time
        self.pulled_up = False  # the wire is: every first byte was ones when the chip was trusted last
        self._trusted = False
        self._good = 0  # readings in a row that may be a chip's
        self._told = False  # one of them was something that no loose wire says
        self._ups = 0  # of them, those whose first byte was ones
        self._doubted = 0  # readings since trust was lost
        self._believed: dict[int, int] = {}
        self._leaped: set[int] = set()  # channels whose leap to what all say was seen once
        self._code, self._same = -1, 0  # the latest reading, and how many in a row were the same
        self._stuck = False  # trust was lost to one reading on every channel

    @property
    def run(self) -> int:
        """Good readings in a row, while none is believed yet; 0 where the latest was none."""
        return self._good

    def believes(self, channel: int, counts: int, reply: bytes | bytearray) -> bool:
        """True where a reading, with the reply it came from, is the word of a chip that is trusted."""
        up = reply[0] == ONES
        floats = reply[0].bit_count() in MIXED
        held_low = self._trusted and self.pulled_up and reply[0] == ZEROS
        if floats or held_low or reply[1] & NULL_BIT:
            return self._distrust(f"no MCP3008 answers on SPI0 (channel {channel})")
        self._same = self._same + 1 if counts == self._code else 1
        self._code = counts
        if not self._trusted:
            return self._regain(channel, counts, up)
        leap = abs(counts - self._believed.get(channel, counts)) > LEAP
        end = counts == COUNTS or (up and not counts)  # where hands do bring several knobs at once
        if not leap or end or (channel not in KNOBS.values() and self._same == 1):
            self._leaped.discard(channel)
        elif not self._seen_again(channel):
            return False
        self._believed[channel] = counts
        return True

    def failed(self, why: str) -> None:
        """The bus itself has failed."""
        self._distrust(why)
        self.complaint = _sentence(why)

    def _distrust(self, why: str) -> bool:
        self._trusted, self._good, self._told, self._ups = False, 0, False, 0
        self._leaped.clear()
        self._doubt(why)
        return False

    def _doubt(self, why: str) -> None:
        self._doubted += 1
        if self._doubted >= DOUBT and not self.complaint:
            self.complaint = _sentence(why)

    def _regain(self, channel: int, counts: int, up: bool) -> bool:
        """Whether a run of good readings is long enough."""
        self._good += 1
        self._ups += up
        self._told = self._told or up or counts > 0
        self._believed[channel] = counts
        if self._good < REGAIN:
            return False
        if not self._told or (self._stuck and self._same >= self._good):
            self._doubt(f"the MCP3008 answers {counts} on every channel")
            return False
        if self.complaint or not self.returns:
            self.returns += 1
        self._trusted, self.complaint = True, ""
        self.pulled_up = self._ups == self._good
        self._doubted, self._stuck = 0, False
        return True

    def _seen_again(self, channel: int) -> bool:
        """Whether a leap is believed: at the second look, where it is the only one or others differ."""
        if channel not in self._leaped:
            self._leaped.add(channel)
            return False
        if self._same >= CHANNELS and len(self._leaped) > 1:
            why = f"the MCP3008 answers {self._code} on every channel"
            self._distrust(why)
            self.complaint, self._stuck = _sentence(why), True
            return False
        self._leaped.discard(channel)
        return True


def _sentence(why: str) -> str:
    return f"knobs: {why}. {ADVICE}"
