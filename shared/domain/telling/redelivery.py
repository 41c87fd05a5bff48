"""What follows from an attempt at a delivery: a decision, not a loop."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TypeAlias, assert_never

MINUTE, HOUR = 60.0, 3600.0
RETRY_SECONDS = (
    5.0,
    30.0,
    2 * MINUTE,
    10 * MINUTE,
    30 * MINUTE,
    1 * HOUR,
    3 * HOUR,
    6 * HOUR,
    12 * HOUR,
    24 * HOUR,
)
MOST_TRIES = len(RETRY_SECONDS) + 1
LONGEST_RETRY_AFTER_SECONDS = 24 * HOUR
_MAY_PASS = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})


@dataclass(frozen=True, slots=True)
class Delivered:
    """The receiver has it."""

    status: int | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """The receiver has not got it, for a reason that may pass."""

    reason: str
    status: int | None = None
    retry_after_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Unknown:
    """No answer came: the receiver may have it, or may not."""

    reason: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The receiver has not got it, and asking again would not help."""

    reason: str
    status: int | None = None


@dataclass(frozen=True, slots=True)
class Gone:
    """The receiver is not there any more, and says so."""

    reason: str
    status: int | None = None


Outcome: TypeAlias = Delivered | Failed | Unknown | Refused | Gone


@dataclass(frozen=True, slots=True)
class Done:
    """Nothing is left to do."""


@dataclass(frozen=True, slots=True)
class RetryIn:
    seconds: float
    reason: str


@dataclass(frozen=True, slots=True)
class GiveUp:
    """It becomes a dead letter; `is_gone`: nothing more is to be sent to this receiver."""

    reason: str
    is_gone: bool = False


NextStep: TypeAlias = Done | RetryIn | GiveUp


def decide(outcome: Outcome, tries: int, seed: str, *, is_test: bool = False) -> NextStep:
    """What to do after the `tries`-th try (1 or more). A test is tried once: someone waits for it."""
    match outcome:
        case Delivered():
            return Done()
        case Refused():
            return GiveUp(outcome.reason)
        case Gone():
            return GiveUp(outcome.reason, is_gone=True)
        case Failed() | Unknown():
            if is_test:
                return GiveUp(outcome.reason)
            if tries >= MOST_TRIES:
                return GiveUp(f"{outcome.reason} Given up after {tries} tries.")
            after = outcome.retry_after_seconds if isinstance(outcome, Failed) else None
            return RetryIn(wait_seconds(tries, after, seed), outcome.reason)
        case _:
            assert_never(outcome)


def wait_seconds(tries: int, retry_after_seconds: float | None, seed: str) -> float:
    """How long to wait after the `tries`-th try, a fifth longer at most, differently for every seed.

    What a receiver asks for in Retry-After is the least, believed up to a day.
    """
    step = RETRY_SECONDS[min(tries, len(RETRY_SECONDS)) - 1]
    if retry_after_seconds is not None:
        step = max(step, min(retry_after_seconds, LONGEST_RETRY_AFTER_SECONDS))
    fraction = int.from_bytes(hashlib.blake2b(f"{seed}:{tries}".encode(), digest_size=4).digest()) / 2**32
    return step * (1 + fraction / 5)


def read_status(status: int, retry_after_seconds: float | None = None, said: str = "") -> Outcome:
    """What an HTTP status says about a delivery; `said`: the receiver's words for it, if they may be kept."""
    reason = f"The receiver answered {status}{f' ({said})' if said else ''}."
    if 200 <= status < 300:
        return Delivered(status)
    if 300 <= status < 400:
        return Refused(f"{reason} Redirects are not followed: name the final address.", status)
    if status == HTTPStatus.GONE:
        return Gone(reason, status)
    if status >= 500 or status in _MAY_PASS:
        return Failed(reason, status, retry_after_seconds)
    return Refused(reason, status)


def read_retry_after(header: str | None, now: datetime) -> float | None:
    """The seconds that a Retry-After asks for, in either of its forms; None if it can't be read."""
    if header is None:
        return None
    if header.strip().isdecimal():
        return min(float(header), LONGEST_RETRY_AFTER_SECONDS)
    try:
        return max(0.0, (parsedate_to_datetime(header) - now).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return None
