"""Which entries of a sequence can be compared with each other."""

from collections.abc import Sequence


def number_series(epochs: Sequence[str], restarts: Sequence[bool]) -> list[int]:
    """Each entry's series, from 1: a new one begins with another epoch, and with a restart of the model.

    To come back to an epoch is a new series, too: the watch has forgotten the one before.
    """
    numbers: list[int] = []
    for place, (epoch, restart) in enumerate(zip(epochs, restarts, strict=True)):
        before = numbers[-1] if numbers else 1
        is_new = place > 0 and (restart or epoch != epochs[place - 1])
        numbers.append(before + is_new)
    return numbers
