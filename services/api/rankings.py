"""Rankings, kept: finished runs don't change, and so neither does how their models compare."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any, TypeAlias, TypedDict

from fastapi import Depends, Request

from shared.db.pool import Connection
from shared.db.sheets import Sheets, read_sheets
from shared.domain.figures.aggregation import ALL_CATEGORIES
from shared.domain.figures.ranking import Ranking, rank_models
from shared.domain.runs import RunId

KEPT = 128

Facts: TypeAlias = tuple[tuple[RunId, str], ...]


class RankingShelf:
    """The rankings asked for last, by what they compare: (run, model) of each model, and the category."""

    def __init__(self) -> None:
        self._kept: dict[tuple[Facts, str], Ranking] = {}

    async def read(
        self, connection: Connection, measured: Sequence[tuple[RunId, str]], categories: Sequence[str]
    ) -> Mapping[str, Ranking]:
        """Rank each model by its run, once for each category; "all" is the whole suite."""
        facts = tuple(sorted(measured))
        missing = [one for one in categories if (facts, one) not in self._kept]
        if missing:
            sheets = await read_sheets(connection, facts)
            made = await asyncio.to_thread(_rank, sheets, missing)
            for category, ranking in made.items():
                self._kept[facts, category] = ranking
        found = {one: self._kept.pop((facts, one)) for one in dict.fromkeys(categories)}
        self._kept.update({(facts, one): ranking for one, ranking in found.items()})
        while len(self._kept) > max(KEPT, len(found)):
            del self._kept[next(iter(self._kept))]
        return found


def _rank(sheets: Sheets, categories: Sequence[str]) -> dict[str, Ranking]:
    clusters = sheets.clusters
    return {
        one: rank_models(sheets.by_model if one == ALL_CATEGORIES else sheets.of_category(one), clusters)
        for one in categories
    }


class ShelfState(TypedDict):
    """What each request finds in `request.state`."""

    rankings: RankingShelf


@asynccontextmanager
async def open_shelf(_: Any) -> AsyncIterator[ShelfState]:
    yield {"rankings": RankingShelf()}


async def _find_shelf(request: Request) -> RankingShelf:
    shelf: RankingShelf = request.state.rankings
    return shelf


AtShelf: TypeAlias = Annotated[RankingShelf, Depends(_find_shelf)]
