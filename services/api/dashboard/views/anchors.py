"""What /anchors shows: frozen answers, how far the judge agrees with people on them, one card at a time."""

from dataclasses import dataclass

from services.api.anchoring import tell_agreement
from services.api.dashboard import numbers
from services.api.dashboard.forms import Filled
from services.api.schemas.anchors import Agreement, Kappa
from shared.db import anchor_sets, suites
from shared.db.anchor_sets import Anchor, AnchorSet
from shared.db.pool import Connection
from shared.domain.answers.agreement import PASS_SCORE

LABELS = {
    "suite": "Suite",
    "borderline": "Borderline answers",
    "clear": "Clear answers",
    "runs": "Newest runs to look at",
}


@dataclass(frozen=True, slots=True)
class AgreementRow:
    """How far judge and person agree on some labelled anchors; None: not known."""

    name: str
    anchors: int
    n: int
    share: float | None
    kappa: Kappa | None
    judge_only: int
    person_only: int


@dataclass(frozen=True, slots=True)
class SetRow:
    """One suite's active set. `rows` are all its anchors together, then by stratum."""

    suite: str
    chosen: str
    size: int
    labelled: int
    verdict: str
    rows: tuple[AgreementRow, ...]


@dataclass(frozen=True, slots=True)
class Anchors:
    """`suites`: those that a judge takes part in, values and texts. `refusal`: why none could be chosen."""

    sets: tuple[SetRow, ...]
    suites: tuple[tuple[str, str], ...]
    form: Filled
    refusal: str


@dataclass(frozen=True, slots=True)
class Card:
    """One answer to label, without what its judge said. `label` is what was said of it before."""

    id: int
    question: str
    category: str
    input: str
    target: str
    response: str
    label: str


@dataclass(frozen=True, slots=True)
class Said:
    """What was said of the card before, beside what the judge had said of it."""

    id: int
    question: str
    model: str
    person: str
    judge: str
    agrees: bool


@dataclass(frozen=True, slots=True)
class Labelling:
    suite: str
    labelled: int
    size: int
    card: Card | None
    said: Said | None
    error: str = ""


async def read_anchors(connection: Connection, form: Filled, *, refusal: str = "") -> Anchors:
    found = await anchor_sets.list_active_sets(connection)
    judged = [one for one in await suites.list_suites(connection) if one.asks_judge]
    return Anchors(
        tuple([await _describe_set(connection, one) for one in found]),
        tuple((one.name, f"{one.name} v{one.version}") for one in judged),
        form,
        refusal,
    )


def describe_labelling(
    active: AnchorSet, card: Anchor | None, said: Anchor | None, *, error: str = ""
) -> Labelling:
    return Labelling(
        active.suite,
        active.labelled,
        active.borderline + active.clear,
        describe_card(card) if card else None,
        describe_said(said) if said and said.label is not None else None,
        error,
    )


def describe_card(anchor: Anchor) -> Card:
    label = "" if anchor.label is None else _name(anchor.label)
    return Card(
        anchor.id, anchor.question, anchor.category, anchor.input, anchor.target, anchor.response, label
    )


def describe_said(anchor: Anchor) -> Said:
    assert anchor.label is not None, "somebody has said it"
    return Said(
        anchor.id,
        anchor.question,
        anchor.model,
        _name(anchor.label),
        f"{_name(anchor.score)} ({numbers.score(anchor.score)})",
        (anchor.score >= PASS_SCORE) == (anchor.label >= PASS_SCORE),
    )


def _name(score: float) -> str:
    return "pass" if score >= PASS_SCORE else "fail"


async def _describe_set(connection: Connection, one: AnchorSet) -> SetRow:
    told = await tell_agreement(connection, one)
    sizes = {"borderline": one.borderline, "clear": one.clear}
    return SetRow(
        one.suite,
        f"Chosen by {one.by} on {numbers.moment(one.created_at)} UTC."
        f" {numbers.share(one.borderline_share)} of the suite's answers are borderline.",
        one.borderline + one.clear,
        one.labelled,
        _tell(told),
        (
            _row("all", one.borderline + one.clear, told),
            *(_row(stratum, sizes[stratum], its) for stratum, its in told.by_stratum.items()),
        ),
    )


def _row(name: str, anchors: int, told: Agreement) -> AgreementRow:
    return AgreementRow(name, anchors, told.n, told.share, told.kappa, told.judge_only, told.person_only)


def _tell(told: Agreement) -> str:
    if told.share is None:
        return "Nobody has labelled an answer yet, so nobody knows how far the judge agrees with people."
    agreed = f"Judge and people agree on {numbers.share(told.share)} of {numbers.many(told.n, 'answer')}."
    if told.kappa is None:
        return f"{agreed} One of them lets all pass, or none, so this can't be told from chance."
    kappa = told.kappa
    return (
        f"{agreed} Beyond chance: κ {kappa.value:.2f}, 95 % interval {_signed(kappa.lower)} to"
        f" {_signed(kappa.upper)}."
    )


def _signed(value: float) -> str:
    return f"{value:.2f}".replace("-", numbers.MINUS)
