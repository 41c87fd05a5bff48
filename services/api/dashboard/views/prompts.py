"""What /prompts shows: every version with what it says, its last run, and what it changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from services.api.dashboard import numbers
from services.api.dashboard.forms import Filled
from shared.db import prompts
from shared.db.pool import Connection
from shared.db.prompts import PromptUse, StoredPrompt
from shared.domain.questions.prompts import Message

LABELS = {
    "name": "Name",
    "system": "Instructions (system)",
    "user": "What the user says",
    "variables": "Variables",
}


@dataclass(frozen=True, slots=True)
class Version:
    """`compare`: its newest run beside that of the version before, where both ran on one suite."""

    name: str
    version: int
    created: str
    messages: Sequence[Message]
    variables: Mapping[str, str]
    runs: int
    last_run: str
    suite: str
    compare: str


@dataclass(frozen=True, slots=True)
class Prompts:
    versions: tuple[Version, ...]
    form: Filled


async def read_prompts(connection: Connection, form: Filled) -> Prompts:
    stored = await prompts.list_prompts(connection)
    uses = await prompts.list_uses(connection, [each.id for each in stored])
    former = {newer.id: older for newer, older in pairwise(stored) if newer.prompt.name == older.prompt.name}
    return Prompts(tuple(_describe(each, former.get(each.id), uses) for each in stored), form)


def _describe(one: StoredPrompt, former: StoredPrompt | None, uses: Mapping[int, PromptUse]) -> Version:
    use, before = uses.get(one.id), uses.get(former.id) if former else None
    last_run = str(use.run_id) if use and use.run_id else ""
    comparable = before is not None and use is not None and before.suite == use.suite and before.run_id
    return Version(
        one.prompt.name,
        one.version,
        numbers.moment(one.created_at),
        one.prompt.messages,
        one.prompt.variables,
        use.runs if use else 0,
        last_run,
        (use.suite or "") if use else "",
        f"/compare?baseline={before.run_id}&candidate={last_run}"
        if comparable and before and last_run
        else "",
    )
