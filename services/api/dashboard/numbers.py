"""Numbers and dates as the pages print them. What is None was not measured: a dash, never a zero."""

import math
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal

NOT_MEASURED = "–"
MINUS = "−"
SPACE = "\N{NARROW NO-BREAK SPACE}"
HARD_SPACE = "\N{NO-BREAK SPACE}"
SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
MANY_DIGITS = 1e6  # from here on, a power of ten says more


def count(number: int | None) -> str:
    return NOT_MEASURED if number is None else f"{number:,}".replace(",", SPACE)


def many(number: int, noun: str) -> str:
    """`1 run`, `2 runs`."""
    return f"{count(number)}{HARD_SPACE}{noun}" + ("" if number == 1 else "s")


def ordinal(number: int) -> str:
    """`1st`, `2nd`, `3rd`, `4th`."""
    teens = number % 100 in (11, 12, 13)
    return f"{number}{'th' if teens else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"


def rate(per_year: float) -> str:
    """`12`, `1.0`, `0.25`: two digits that say something."""
    return f"{per_year:.{max(0, 1 - math.floor(math.log10(per_year)))}f}"


def percent(ratio: float | None) -> str:
    """A share in percent without the sign, 1 decimal; rounding alone never makes it all or nothing."""
    if ratio is None:
        return NOT_MEASURED
    value = round(100 * ratio, 1)
    if 0 < ratio < 1:
        value = min(max(value, 0.1), 99.9)
    return f"{value:.1f}"


def share(ratio: float | None) -> str:
    """`82.9 %`."""
    return NOT_MEASURED if ratio is None else f"{percent(ratio)}{HARD_SPACE}%"


def whole_share(ratio: float | None) -> str:
    """`98 %`; only all of it is 100."""
    return NOT_MEASURED if ratio is None else f"{math.floor(100 * ratio + 1e-9)}{HARD_SPACE}%"


def points(difference: float | None) -> str:
    """A difference between two shares in points, signed: `−6.3`."""
    if difference is None:
        return NOT_MEASURED
    rounded = round(100 * difference, 1)
    sign = MINUS if rounded < 0 else "+" if rounded > 0 else "±"
    return f"{sign}{abs(rounded):.1f}"


def size(difference: float | None) -> str:
    """How many points, whichever way: `6.3`."""
    return NOT_MEASURED if difference is None else f"{abs(round(100 * difference, 1)):.1f}"


def usd(amount: Decimal | float | None) -> str:
    """US dollars, 2 decimals, below a cent 4: what has cost something never reads as 0.00."""
    if amount is None:
        return NOT_MEASURED
    dollars = Decimal(str(amount))
    if 0 < dollars < Decimal("0.0001"):
        return "<0.0001"
    decimals = 4 if 0 < dollars < Decimal("0.01") else 2
    return f"{dollars:,.{decimals}f}".replace(",", SPACE)


def seconds(duration: float | None) -> str:
    if duration is None:
        return NOT_MEASURED
    decimals = 2 if duration < 10 else 1 if duration < 100 else 0
    return f"{duration:,.{decimals}f}".replace(",", SPACE)


def score(value: float | None) -> str:
    return NOT_MEASURED if value is None else f"{value:.2f}"


def evidence(ratio: float | None) -> str:
    """Evidence against its alarm line: `×15 000` above, `÷1 600` below, `×10⁸` from a million on."""
    if ratio is None:
        return NOT_MEASURED
    if ratio <= 0:
        return "none"
    sign, times = ("×", ratio) if ratio >= 1 else ("÷", 1 / ratio)
    if times >= MANY_DIGITS:
        power = math.floor(math.log10(times))
        return f"{sign}10{str(power).translate(SUPERSCRIPTS)}"
    if times < 10:
        return f"{sign}{times:.1f}"
    rounded = round(times, 1 - math.floor(math.log10(times)))
    return f"{sign}{rounded:,.0f}".replace(",", SPACE)


def night(date_: date | None) -> str:
    """`16 Nov`."""
    return NOT_MEASURED if date_ is None else f"{date_.day}{HARD_SPACE}{date_:%b}"


def long_night(date_: date) -> str:
    """`16 November`."""
    return f"{date_.day}{HARD_SPACE}{date_:%B}"


def full_night(date_: date) -> str:
    """`Saturday 21 November 2026`."""
    return f"{date_:%A} {date_.day} {date_:%B} {date_.year}"


def moment(at: datetime | None) -> str:
    """`16 Nov 2026 02:44`, UTC; the text around it says so."""
    if at is None:
        return NOT_MEASURED
    at = at.astimezone(UTC)
    return f"{at.day}{HARD_SPACE}{at:%b %Y %H:%M}"


def clock(at: datetime) -> str:
    return f"{at.astimezone(UTC):%H:%M} UTC"


def lasting(duration_seconds: float) -> str:
    """`14 h 20 min`, `5 min`, `12 s`, `3 days`."""
    whole = max(0, round(duration_seconds))
    if whole < 60:
        return f"{whole}{HARD_SPACE}s"
    minutes = whole // 60
    if minutes < 60:
        return f"{minutes}{HARD_SPACE}min"
    if minutes < 48 * 60:
        hours, rest = divmod(minutes, 60)
        return f"{hours}{HARD_SPACE}h" + (f" {rest}{HARD_SPACE}min" if rest else "")
    return many(minutes // (24 * 60), "day")


def tally(counts: Mapping[str, int]) -> str:
    """Reasons with their counts, most frequent first: `50 × timeout, 2 × truncated`."""
    ordered = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    return ", ".join(
        f"{count(number)}{HARD_SPACE}×{HARD_SPACE}{reason.replace('_', ' ')}" for reason, number in ordered
    )


FILTERS = {
    function.__name__: function
    for function in (
        count, many, percent, share, whole_share, points, size, usd, seconds, score, evidence, night,
        long_night, full_night, moment, clock, lasting, tally,
    )
}  # fmt: skip
