"""Numbers and words as people read them. What was not measured is a dash, never a zero."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

NOT_MEASURED = "–"
MINUS = "−"
SPACE = "\N{NO-BREAK SPACE}"


def plain(text: str) -> str:
    """One line of printable text. Models write what they like: no escape sequence of theirs gets through."""
    return "".join(char if char.isprintable() or char == SPACE else " " for char in text).strip()


def count(number: int | None) -> str:
    return NOT_MEASURED if number is None else f"{number:,}".replace(",", SPACE)


def many(number: int, noun: str) -> str:
    """`1 run`, `2 runs`."""
    return f"{count(number)} {noun}" + ("" if number == 1 else "s")


def ordinal(number: int) -> str:
    """`1st`, `2nd`, `3rd`, `4th`."""
    teens = number % 100 in (11, 12, 13)
    return f"{number}{'th' if teens else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"


def share(ratio: float | None) -> str:
    """A share in percent, 1 decimal; rounding alone never makes it all or nothing."""
    if ratio is None:
        return NOT_MEASURED
    percent = round(100 * ratio, 1)
    if 0 < ratio < 1:
        percent = min(max(percent, 0.1), 99.9)
    return f"{percent:.1f}{SPACE}%"


def score(value: float | None) -> str:
    """One answer's score, from 0.00 to 1.00."""
    return NOT_MEASURED if value is None else f"{value:.2f}"


def interval(lower: float | None, upper: float | None) -> str:
    """The ends of an interval between shares, in percent; the column's head carries the unit."""
    if lower is None or upper is None:
        return NOT_MEASURED
    return f"{100 * lower:.1f}–{100 * upper:.1f}"


def points(difference: float | None) -> str:
    """A difference between two shares in percentage points, always signed."""
    if difference is None:
        return NOT_MEASURED
    rounded = round(100 * difference, 1)
    return f"{MINUS if rounded < 0 else '+'}{abs(rounded):.1f}"


def points_interval(lower: float | None, upper: float | None) -> str:
    if lower is None or upper is None:
        return NOT_MEASURED
    return f"{points(lower)} to {points(upper)}"


def usd(amount: float | str | None) -> str:
    """US dollars with 2 decimals, below a cent with 4: what has cost something never reads as 0.00."""
    if amount is None:
        return NOT_MEASURED
    dollars = Decimal(str(amount))
    if 0 < dollars < Decimal("0.0001"):
        return "<0.0001"
    decimals = 4 if 0 < dollars < Decimal("0.01") else 2
    return f"{dollars:,.{decimals}f}".replace(",", SPACE)


def usd_range(amount: Mapping[str, Any] | None) -> str:
    """An estimate's low and expected end."""
    if amount is None:
        return NOT_MEASURED
    low, expected = usd(amount["low"]), usd(amount["expected"])
    return expected if low == expected else f"{low}–{expected}"


def seconds(duration: float | None) -> str:
    """Seconds with 2 decimals, from 10 on with 1, from 100 on with none."""
    if duration is None:
        return NOT_MEASURED
    decimals = 2 if duration < 10 else 1 if duration < 100 else 0
    return f"{duration:,.{decimals}f}".replace(",", SPACE)


def rank(best: int | None, worst: int | None) -> str:
    """The places that a model may have; one that is not ranked has none."""
    if best is None or worst is None:
        return NOT_MEASURED
    return str(best) if best == worst else f"{best}–{worst}"


def moment(timestamp: str | None) -> str:
    """An ISO 8601 time as UTC to the minute; the column's head or the sentence says UTC."""
    if timestamp is None:
        return NOT_MEASURED
    return datetime.fromisoformat(timestamp).astimezone(UTC).strftime("%Y-%m-%d %H:%M")


def tally(counts: Mapping[str, int]) -> str:
    """Reasons with their counts, most frequent first: `50 × timeout, 2 × truncated`."""
    ordered = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    return ", ".join(
        f"{count(number)} × {plain(reason).replace('_', ' ')}" for reason, number in ordered if number
    )
