"""The one complaint of this room. No recovery: who asked decides what to do without the part."""


class PanelError(OSError):
    """A part of the panel cannot be used; the text names it, what was found and what to do."""
