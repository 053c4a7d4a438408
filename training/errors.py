"""The complaints of this room: a loop that cannot be heard, and learning that was stopped."""


class LoopError(ValueError):
    """A loop is refused; the text is one sentence: what was found, what was expected, what to do."""


class CancelledError(Exception):
    """Learning was stopped before its end, as asked."""
