"""What keeps a standalone instance from starting."""


class CannotStart(RuntimeError):
    """A sentence or two for the person at the terminal: what stands in the way, and what to do about it."""
