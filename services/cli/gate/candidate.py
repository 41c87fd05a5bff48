"""The run in question: taken as it is, or started now and waited for."""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import uuid4

from services.cli.failures import CommandFailed, NotMeasured, Refused, Unreachable
from services.cli.gate.terms import QUICK_MODELS, QUICK_QUESTIONS, Order
from services.cli.ids import find_run
from services.cli.numbers import many, usd_range
from services.cli.render import tell
from services.cli.server import Json, segment
from services.cli.submit import name_prompt

if TYPE_CHECKING:
    from services.cli.client import Client

OPTIONS = {"models": "--model", "labels": "--label"}


@dataclass(frozen=True, slots=True)
class Plan:
    """A run about to be started: what is asked of the server, and what that will take."""

    request: Json
    estimate: Json

    @property
    def models(self) -> list[str]:
        return [payer["model"] for payer in self.estimate["models"]]


def plan_candidate(client: "Client", order: Order, suite: str, max_cost_usd: float | None) -> Plan:
    """Ask what the run would take; the quick form asks a few questions of the first models.

    Raises:
        Refused: it can't be run; names the option.
    """
    request = {
        "suite": suite,
        "models": list(order.models),
        "judge": order.judge,
        "prompt": order.prompt and name_prompt(client, order.prompt),
        "repeats": order.repeats,
        "sample": order.sample or (QUICK_QUESTIONS if order.is_quick else None),
        "max_cost_usd": max_cost_usd,
        "labels": dict(order.labels),
        "git_commit": order.git_commit,
        "kind": "gate",
        "allow_self_judging": order.allow_self_judging or None,
    }
    # What was not chosen is the server's to choose.
    chosen = {name: value for name, value in request.items() if value not in (None, "", [], {})}
    plan = Plan(chosen, _estimate(client, chosen))
    if order.is_quick and len(plan.models) > QUICK_MODELS:
        chosen = {**chosen, "models": plan.models[:QUICK_MODELS]}
        plan = Plan(chosen, _estimate(client, chosen))
    return plan


def start_candidate(client: "Client", plan: Plan) -> Json:
    """Start the run, and wait until it is finished."""
    accepted = client.post_once("/runs", plan.request, idempotency_key=str(uuid4()))
    total = plan.estimate["total_usd"]
    cost = "at a cost that is not known" if total is None else f"for about {usd_range(total)} USD"
    tell(f"candidate {accepted['id']}: {many(plan.estimate['pairs'], 'answer')} {cost}")
    return _wait(client, accepted["id"])


def take_candidate(client: "Client", typed: str) -> Json:
    """A run that exists, as it is once it is finished."""
    run = client.get(f"/runs/{segment(find_run(client, typed))}")
    return run if run["finished_at"] is not None else _wait(client, run["id"])


def refuse_unfinished(run: Json) -> None:
    """Nothing can be said of a run that was not completed.

    Raises:
        NotMeasured: says why, and what to do.
    """
    match run["state"]:
        case "completed":
            return
        case "stopped_by_budget":
            raise NotMeasured(
                f"The candidate {run['id']} was stopped by its budget before every question was asked.\n"
                "Raise --max-cost-usd, or ask less with --sample or --quick."
            )
        case "failed":
            raise NotMeasured(f"The candidate {run['id']} failed: {run['error'] or 'it gives no reason'}.")
        case state:
            raise NotMeasured(f"The candidate {run['id']} is {state}, not completed. Start the gate again.")


def price_answer(client: "Client", run: Json) -> Decimal | None:
    """What one more answer like this run's would cost, by the server's estimate; None: not known."""
    request = {
        "suite": run["suite"],
        "suite_version": run["suite_version"],
        "models": run["models"],
        "judge": run["judge"],
        "prompt": run["prompt"] and f"{run['prompt']}@{run['prompt_version']}",
        "sample": run["sample"],
        "allow_self_judging": True,
    }
    try:
        estimate = client.post("/runs:estimate", {name: value for name, value in request.items() if value})
    except CommandFailed:
        return None  # of models that are only known from results
    total = estimate["total_usd"]
    return None if total is None else Decimal(str(total["expected"])) / estimate["pairs"]


def _estimate(client: "Client", request: Json) -> Json:
    try:
        return client.post("/runs:estimate", request)
    except Refused as refusal:
        raise Refused(name_options(str(refusal))) from refusal


def name_options(refusal: str) -> str:
    """The server names fields; who types reads options."""
    return re.sub(
        r"^([a-z_]+)(\[\d+\]|\.[^:\n]*)?: ",
        lambda field: f"{OPTIONS.get(field[1], '--' + field[1].replace('_', '-'))}: ",
        refusal,
        flags=re.MULTILINE,
    )


def _wait(client: "Client", run_id: str) -> Json:
    from services.cli.watch import wait_for_run

    hint = f"Watch it with `driftwarden show {run_id}`, and judge it with `gate --candidate {run_id}`."
    try:
        return wait_for_run(client, run_id)
    except Unreachable as failure:
        raise Unreachable(f"{failure}\nThe candidate may go on all the same. {hint}") from failure
    except KeyboardInterrupt:
        raise NotMeasured(f"Interrupted: the candidate goes on without us.\n{hint}") from None
