"""The complaints of this room: one sentence each, naming thing, found, expected and what to do."""


class ModelError(ValueError):
    """A slot cannot be used: truncated, from another version, of wrong shape or not finite."""


class SettingsError(ValueError):
    """A setting cannot be used; the text names key, value and range."""
