"""One sentence for what moved: which model, what of it, by how much, since when."""

from datetime import date

from shared.domain.drift.dating import Shift
from shared.domain.drift.detections import CATEGORY, SHARES
from shared.domain.telling.wording import name_stream


def tell_ratio(model: str, stream: str, ratio: float, since: str) -> str:
    return f"{model}: {name_stream(stream)} is {ratio:.2f} times what it was, {since}."


def tell_shift(model: str, stream: str, shift: Shift, since: str, overall: Shift | None = None) -> str:
    """`overall`: the shift of the whole suite, where the stream is a category of it."""
    if stream in SHARES:  # measured as the share of what is well, told as that of what is not
        value = -shift.value
        return f"{model}: {name_stream(stream)} {_moved(value)} ({_spread(shift)}), {since}."
    what = name_stream(stream) if stream.startswith(CATEGORY) else "accuracy"
    told = f"{model}: {what} {_moved(shift.value)} ({_spread(shift)}), {since}"
    if overall is None:
        return f"{told}."
    lower, upper = overall.interval
    if lower <= 0 <= upper:
        return f"{told}; over the whole suite no change is certain ({overall.value * 100:+.1f})."
    return f"{told}; over the whole suite it {_moved(overall.value)}."


def tell_unsized(model: str, stream: str, since: str) -> str:
    return f"{model}: {name_stream(stream)} changed, {since}."


def tell_since(since: date, earliest: date | None, latest: date | None) -> str:
    told = f"since {since}"
    return told if earliest == latest else f"{told} (between {earliest} and {latest})"


def _moved(value: float) -> str:
    return f"{'fell' if value < 0 else 'rose'} by {abs(value) * 100:.1f} points"


def _spread(shift: Shift) -> str:
    low, high = shift.interval
    if low <= 0 <= high:
        return "estimated so far"
    lower, upper = sorted((abs(low), abs(high)))
    return f"95 %: {lower * 100:.1f} to {upper * 100:.1f}"
