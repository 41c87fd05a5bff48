"""What a worker process works with: opened once, passed on, closed in reverse."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from services.worker.writes import ResultWriter
from shared.db import judges, runs
from shared.db.pool import Pool
from shared.domain.judging import Judge
from shared.domain.runs import RunId
from shared.models import Catalogue
from shared.settings import Settings

REMEMBERED_RUNS = 256


@dataclass(frozen=True, slots=True)
class RunTerms:
    """What holds for every pair of a run, fixed when it was submitted."""

    parameters: Mapping[str, Any]
    judge: Judge | None


@dataclass(frozen=True, slots=True)
class Bench:
    settings: Settings
    catalogue: Catalogue
    pool: Pool
    writer: ResultWriter
    _terms: OrderedDict[RunId, RunTerms] = field(default_factory=OrderedDict)

    async def terms_of(self, run_id: RunId) -> RunTerms:
        """Read a run's terms once; they never change."""
        if run_id not in self._terms:
            async with self.pool.acquire() as connection:
                run = await runs.find_run(connection, run_id)
                assert run is not None, "a pair has its run by foreign key"
                stored = await judges.read_judge(connection, run.judge_id) if run.judge_id else None
            self._terms[run_id] = RunTerms(run.parameters, stored.judge if stored else None)
            if len(self._terms) > REMEMBERED_RUNS:
                self._terms.popitem(last=False)
        return self._terms[run_id]
