"""What the page of a model shows that no schedule watches: its completed runs."""

from dataclasses import dataclass

from shared.db import measurements
from shared.db.measurements import Measurement
from shared.db.pool import Connection

SHOWN = 50


@dataclass(frozen=True, slots=True)
class OneOffs:
    """`low`: where the column of intervals begins, a share of 1."""

    model: str
    runs: tuple[Measurement, ...]
    low: float


async def read_one_offs(connection: Connection, model: str) -> OneOffs:
    runs = await measurements.list_history(connection, model, limit=SHOWN)
    lowest = min((one.accuracy_lower for one in runs if one.accuracy_lower is not None), default=0.0)
    return OneOffs(model, tuple(runs), int(lowest * 10) / 10)
