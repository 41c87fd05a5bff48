"""What Home shows of a suite that no schedule asks, or whose first night is still to come."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.api.dashboard.views.choices import Chosen, Filters
from services.api.desk import Desk
from services.api.leaderboard import list_standings, read_board
from services.api.rankings import RankingShelf
from services.api.schemas.models import Standing
from services.api.schemas.stats import Dataset
from shared.db.pool import Connection


@dataclass(frozen=True, slots=True)
class Unwatched:
    """The newest measurement of each model. `schedule` is empty where there is none."""

    filters: Filters
    suite: str
    schedule: str
    category: str
    standings: tuple[Standing, ...]
    low: float
    datasets: tuple[Dataset, ...]


async def read_unwatched(
    connection: Connection, desk: Desk, shelf: RankingShelf, chosen: Chosen, datasets: Sequence[Dataset]
) -> Unwatched:
    standings = list_standings(await read_board(connection, desk, shelf, chosen.suite.name, chosen.category))
    lowest = min((one.accuracy_lower for one in standings if one.accuracy_lower is not None), default=0.0)
    return Unwatched(
        chosen.filters, chosen.suite.name, chosen.schedule.name if chosen.schedule else "", chosen.category,
        tuple(standings), int(lowest * 10) / 10, tuple(datasets),
    )  # fmt: skip
