"""Where a watched thing stands, as one number: the larger, the more urgent."""

from deploy.grafana import colours
from deploy.grafana.sources import of_any_replica

STATES = {
    0: ("steady", colours.QUIET),
    1: ("paused", colours.QUIET),
    2: ("not measured", colours.UNMEASURED),
    3: ("on watch", colours.WATCH),
    4: ("drifting", colours.DRIFT),
}
CODES = {"ok": 0, "paused": 1, "no_data": 2, "watch": 3, "alert": 4}


def state_of(by: str, selector: str) -> str:
    """The state of each series, by labels that tell the watched things apart."""
    told = (
        f"{code} * " + of_any_replica("driftwarden_drift_state", by, f'state="{state}",{selector}')
        for state, code in CODES.items()
    )
    return " + ".join(told)
