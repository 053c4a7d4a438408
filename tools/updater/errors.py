"""What an update ends with when it cannot go on. No traceback is shown for it."""


class UpdateError(Exception):
    """One sentence for the player: which thing, what was found, what was expected, what to do."""
