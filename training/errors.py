"""The complaint of this room: a loop that cannot be heard. The rest of the loops is learned."""


class LoopError(ValueError):
    """A loop is refused; the text is one sentence: what was found, what was expected, what to do."""
