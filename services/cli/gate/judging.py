"""From two runs to an outcome: read what the server knows, let the domain decide."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from services.cli.failures import Conflicting, NotMeasured, Refused
from services.cli.gate.baseline import Rows, find_baseline
from services.cli.gate.candidate import (
    plan_candidate,
    price_answer,
    refuse_unfinished,
    start_candidate,
    take_candidate,
)
from services.cli.gate.exchange import import_baseline, read_results, write_results
from services.cli.gate.outcome import EXIT_CODES, GateOutcome
from services.cli.gate.terms import Criteria, FileBaseline, LabelledBaseline, RunBaseline, Terms
from services.cli.ids import find_run
from services.cli.server import Json, segment
from services.cli.submit import name_suite
from shared.domain.figures.comparison import GateVerdict
from shared.domain.figures.gate import (
    Criterion,
    Deciding,
    Estimate,
    Finding,
    decide,
    judge_accuracy,
    judge_cost,
    judge_coverage,
    judge_difference,
    judge_latency,
    size_up,
)
from shared.domain.figures.gate_cases import Case, Reply, latencies, pair_cases

if TYPE_CHECKING:
    from services.cli.client import Client

WHOLE_SUITE = "all"


@dataclass(frozen=True, slots=True)
class Pair:
    """The two runs; without a baseline, the reason. `models`: those that are judged."""

    baseline: Json | None
    candidate: Json
    models: Sequence[str]
    notes: Sequence[str] = ()


def hold_gate(client: "Client", terms: Terms) -> GateOutcome:
    """Bring the two runs together and judge the candidate.

    Raises:
        CommandFailed: there was nothing to judge, or what was asked for makes no sense; says what to do.
    """
    pair = _pair_with_given(client, terms) if terms.candidate else _pair_with_started(client, terms)
    refuse_unfinished(pair.candidate)
    if terms.reports.results is not None:
        write_results(client, pair.candidate, terms.reports.results)
    return judge(client, pair, terms)


def _pair_with_given(client: "Client", terms: Terms) -> Pair:
    assert terms.candidate is not None
    candidate = take_candidate(client, terms.candidate)
    models = list(terms.order.models) or candidate["models"]
    if len(terms.order.models) > 1:
        raise Refused("--model: with --candidate, name one model, or none for all that both runs have.")
    if unknown := [model for model in models if model not in candidate["models"]]:
        raise Refused(
            f"--model: {unknown[0]} is not in the candidate. It has {', '.join(candidate['models'])}."
        )
    try:
        found = find_baseline(client, terms.baseline, candidate["suite"], models, candidate["sample"])
    except NotMeasured as missing:
        return Pair(None, candidate, models, str(missing).splitlines())
    return _settle(client, found, candidate, models)


def _pair_with_started(client: "Client", terms: Terms) -> Pair:
    suite = _choose_suite(client, terms)
    plan = plan_candidate(client, terms.order, suite, terms.criteria.max_cost_usd)
    found: Json | Rows | None = None
    notes: list[str] = []
    try:
        found = find_baseline(client, terms.baseline, suite, plan.models, plan.request.get("sample"))
    except NotMeasured as missing:
        if not _becomes_a_baseline(terms):
            raise
        notes = [*str(missing).splitlines(), "So the candidate itself is measured: it is the next baseline."]
    candidate = start_candidate(client, plan)
    if found is None or candidate["state"] != "completed":
        return Pair(None, candidate, plan.models, notes)
    return _settle(client, found, candidate, plan.models)


def _becomes_a_baseline(terms: Terms) -> bool:
    """Whether the next gate would find what it lacks if this one ran without a baseline."""
    match terms.baseline:
        case LabelledBaseline(labels):
            return labels.items() <= terms.order.labels.items()
        case FileBaseline():
            return terms.reports.results is not None
        case _:
            return False


def _choose_suite(client: "Client", terms: Terms) -> str:
    if terms.order.suite is not None:
        return name_suite(client, terms.order.suite)
    if isinstance(terms.baseline, RunBaseline):
        baseline = client.get(f"/runs/{segment(find_run(client, terms.baseline.run))}")
        return str(baseline["suite"])
    raise Refused("--suite: is missing. Name the suite that the candidate is asked, or its file.")


def _settle(client: "Client", found: Json | Rows, candidate: Json, models: Sequence[str]) -> Pair:
    if not isinstance(found, Rows):
        return Pair(found, candidate, models)
    baseline, notes = import_baseline(client, found.rows, candidate)
    return Pair(baseline, candidate, models, notes)


def judge(client: "Client", pair: Pair, terms: Terms) -> GateOutcome:
    """Put every criterion to the two runs; those that need no baseline are judged without one, too."""
    baseline, candidate, criteria = pair.baseline, pair.candidate, terms.criteria
    notes = list(pair.notes)
    comparison: Json | None = None
    cases: Sequence[Case] = ()
    found = _judge_alone(candidate, pair.models, criteria)
    if baseline is not None:
        comparison, reason = _compare(client, pair, terms)
        notes += reason
    if comparison is not None:
        not_compared = [
            each for each in comparison["not_compared"] if each["model"] in pair.models
        ]  # those that only the baseline has were not asked for
        notes += [f"{each['model']} was not compared: {each['reason']}." for each in not_compared]
        found.insert(0, _judge_comparison(comparison, [each["model"] for each in not_compared]))
    if baseline is not None and (terms.reports.junit or criteria.max_latency_ratio):
        cases = _read_cases(client, baseline, candidate, pair.models)
    if criteria.max_latency_ratio is not None:
        found += [
            judge_latency(model, *latencies(cases, model), criteria.max_latency_ratio)
            for model in pair.models
        ]
    finding = decide(found)
    if comparison is None and finding is not Finding.FAIL:
        finding = Finding.NOT_MEASURED
    return GateOutcome(
        finding=finding,
        exit_code=EXIT_CODES[finding],
        criteria=found,
        baseline=baseline,
        candidate=candidate,
        comparison=comparison,
        deciding=_size_up(client, candidate, comparison),
        cases=cases,
        notes=notes,
    )


def _compare(client: "Client", pair: Pair, terms: Terms) -> tuple[Json | None, list[str]]:
    assert pair.baseline is not None
    if pair.baseline["id"] == pair.candidate["id"]:
        raise Refused("--candidate: is the baseline itself. Name another run.")
    try:
        comparison = client.get(
            "/compare",
            baseline=pair.baseline["id"],
            candidate=pair.candidate["id"],
            model=terms.order.models[0] if terms.candidate and terms.order.models else None,
            margin=terms.criteria.margin,
        )
    except Conflicting as refusal:
        return None, str(refusal).splitlines()
    if comparison["same_answers"]:
        raise Refused(
            "--candidate: scores the same answers as the baseline, so the two compare judges, not models."
            " Name a run that was asked anew; `driftwarden compare` compares the judges."
        )
    return comparison, []


def _judge_comparison(comparison: Json, not_compared: Sequence[str]) -> Criterion:
    pooled = comparison["pooled"]
    difference = Estimate(pooled["adjusted_difference"], pooled["lower"], pooled["upper"])
    return judge_difference(
        GateVerdict(comparison["verdict"]), difference, comparison["margin"], not_compared=not_compared
    )


def _judge_alone(candidate: Json, models: Sequence[str], criteria: Criteria) -> list[Criterion]:
    """What the candidate alone has to answer for."""
    totals = {each["model"]: each for each in candidate["aggregates"] if each["category"] == WHOLE_SUITE}
    chosen = [totals[model] for model in models if model in totals]
    found = [judge_coverage(each["model"], each["scored"], each["planned"]) for each in chosen]
    if criteria.min_accuracy is not None:
        found += [judge_accuracy(m["model"], _read_accuracy(m), criteria.min_accuracy) for m in chosen]
    if criteria.max_cost_usd is not None:
        judged = [each["judge_cost_usd"] for each in chosen if candidate["judge"] is not None]
        costs = [each["cost_usd"] for each in chosen] + judged
        found.append(
            judge_cost([None if c is None else Decimal(str(c)) for c in costs], criteria.max_cost_usd)
        )
    return found


def _read_accuracy(total: Json) -> Estimate | None:
    if total["accuracy"] is None:
        return None
    return Estimate(total["accuracy"], total["accuracy_lower"], total["accuracy_upper"])


def _read_cases(client: "Client", baseline: Json, candidate: Json, models: Sequence[str]) -> Sequence[Case]:
    """All questions of both runs, but those that a run did not ask because it is a sample."""
    before, after = ([_read_reply(row) for row in read_results(client, run)] for run in (baseline, candidate))
    return tuple(
        case
        for case in pair_cases(before, after, models)
        if not (case.after is None and candidate["sample"])
        and not (case.before is None and baseline["sample"])
    )


def _read_reply(row: Json) -> Reply:
    fields = ("model", "question", "category", "input", "target", "scorer", "repeat", "score", "response")
    error = ": ".join(filter(None, (row["error_kind"], row["error_detail"])))
    return Reply(**{name: row[name] for name in fields}, error=error, latency_seconds=row["latency_seconds"])


def _size_up(client: "Client", candidate: Json, comparison: Json | None) -> Deciding | None:
    """Only where chance is what keeps the comparison from being decided."""
    if comparison is None or comparison["verdict"] != GateVerdict.INCONCLUSIVE:
        return None
    pooled = comparison["pooled"]
    return size_up(
        pooled["questions_needed"],
        pooled["questions_needed_with_4_repeats"],
        models=len(comparison["models"]),
        repeats=candidate["repeats"],
        usd_per_answer=price_answer(client, candidate),
    )
