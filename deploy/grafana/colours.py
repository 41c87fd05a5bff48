"""Few colours: quiet is grey, data are blue, and what moved has a colour of its own.

Grafana has one set for its light and its dark theme, so each has contrast 3 or more on both.
"""

from grafana_foundation_sdk.builders.dashboard import FieldColor, ThresholdsConfig
from grafana_foundation_sdk.models.dashboard import FieldColorModeId, Threshold, ThresholdsMode

QUIET = "#7d8790"
UNMEASURED = "#66727c"
DATA = "#3d7fb5"
DRIFT = "#d9532c"
WATCH = "#b67c0e"
BETTER = "#1b9182"
JUDGE = "#8a61c4"

ALARM_LINE = 1.0  # evidence is told relative to it


def thresholds(base: str, *steps: tuple[float, str]) -> ThresholdsConfig:
    """One colour below the first step, and another from each step on."""
    found = [Threshold(None, base), *(Threshold(value, colour) for value, colour in steps)]
    return ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(found)


def alarm_line() -> ThresholdsConfig:
    return thresholds(QUIET, (ALARM_LINE, DRIFT))


def one(colour: str) -> FieldColor:
    return FieldColor().mode(FieldColorModeId.FIXED).fixed_color(colour)


def shades(colour: str) -> FieldColor:
    """Every series in a shade of one colour, so that none of many stands out by chance."""
    return FieldColor().mode(FieldColorModeId.SHADES).fixed_color(colour)


def by_threshold() -> FieldColor:
    return FieldColor().mode(FieldColorModeId.THRESHOLDS)
