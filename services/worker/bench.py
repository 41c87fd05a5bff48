"""What a worker process works with: opened once, passed on, closed in reverse."""

from collections import Counter, OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from arq.connections import ArqRedis
from pydantic import SecretStr

from services.worker.pace import Pace
from services.worker.writes import ResultWriter
from shared.db import judges, prompts, provider_keys, runs
from shared.db.pool import Pool
from shared.domain.answers.judging import Judge
from shared.domain.questions.prompts import Prompt
from shared.domain.runs import RunId
from shared.models import Catalogue
from shared.secrets import Unreadable, Vault
from shared.settings import Settings

REMEMBERED_RUNS = 256


@dataclass(frozen=True, slots=True)
class RunTerms:
    """What holds for every pair of a run, fixed when it was submitted; its own keys by provider.

    `turned_away` counts the calls in a row whose model or key its provider did not know, by model.
    """

    parameters: Mapping[str, Any]
    judge: Judge | None
    prompt: Prompt | None
    sealed_keys: Mapping[str, bytes] = field(repr=False)
    turned_away: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Bench:
    settings: Settings
    catalogue: Catalogue
    pool: Pool
    redis: ArqRedis
    pace: Pace
    writer: ResultWriter
    vault: Vault | None
    _terms: OrderedDict[RunId, RunTerms] = field(default_factory=OrderedDict)

    async def terms_of(self, run_id: RunId) -> RunTerms:
        """Read a run's terms once; they never change."""
        if run_id not in self._terms:
            async with self.pool.acquire() as connection:
                run = await runs.find_run(connection, run_id)
                assert run is not None, "a pair has its run by foreign key"
                judge = await judges.read_judge(connection, run.judge_id) if run.judge_id else None
                prompt = await prompts.read_prompt(connection, run.prompt_id) if run.prompt_id else None
                keys = await provider_keys.read_provider_keys(connection, run_id)
            self._terms[run_id] = RunTerms(
                run.parameters, judge.judge if judge else None, prompt.prompt if prompt else None, keys
            )
            if len(self._terms) > REMEMBERED_RUNS:
                self._terms.popitem(last=False)
        return self._terms[run_id]

    def unseal(self, key: bytes) -> SecretStr:
        """A key that came with a run, for one call.

        Raises:
            Unreadable: this worker has another DRIFTWARDEN_SECRET_KEY than the API, or none.
        """
        if self.vault is None:
            raise Unreadable
        return SecretStr(self.vault.open(key))
