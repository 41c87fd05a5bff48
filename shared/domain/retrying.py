"""When to try again: a decision, not a loop."""

import hashlib

RETRY_SECONDS = (1.0, 4.0, 15.0, 60.0)
LONGEST_RETRY_AFTER_SECONDS = 600.0


def wait_seconds(attempts: int, retry_after_seconds: float | None, seed: str) -> float:
    """How long to wait after the `attempts`-th failed attempt (1 or more).

    The schedule is jittered by up to a fifth, differently for every seed, so that what failed together comes
    back apart. A provider's Retry-After is a lower bound, believed up to ten minutes.
    """
    step = RETRY_SECONDS[min(attempts, len(RETRY_SECONDS)) - 1]
    if retry_after_seconds is not None:
        step = max(step, min(retry_after_seconds, LONGEST_RETRY_AFTER_SECONDS))
    fraction = int.from_bytes(hashlib.blake2b(f"{seed}:{attempts}".encode(), digest_size=4).digest()) / 2**32
    return step * (1 + fraction / 5)
