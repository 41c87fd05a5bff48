"""/anchors: the answers that watch the judge, labelled by people one card at a time."""

from http import HTTPStatus
from typing import Annotated

from fastapi import Path, Query
from starlette.responses import Response

from services.api import anchoring
from services.api.anchoring import TooFewAnswers
from services.api.dashboard.faults import Link, NotThere
from services.api.dashboard.forms import Reader, begin
from services.api.dashboard.views.anchors import LABELS, describe_labelling, read_anchors
from services.api.dashboard.visit import Visiting, page_router
from services.api.problems import NotFound
from services.api.schemas.anchors import AnchorsRequest
from services.api.schemas.fields import SuiteName
from shared.db import anchor_sets
from shared.db.anchor_sets import Anchor, AnchorSet
from shared.db.keys import Scope
from shared.db.pool import Connection
from shared.domain.errors import InvalidInput

LARGEST_ID = 2**63 - 1
SCORES = {"pass": 1.0, "fail": 0.0}

AnchorId = Annotated[int, Path(ge=1, le=LARGEST_ID)]
Known = Annotated[int | None, Query(ge=1, le=LARGEST_ID)]

router = page_router()


@router.get("/anchors")
async def show_anchors(visit: Visiting) -> Response:
    form = begin(LABELS, borderline=40, clear=40, runs=14)
    async with visit.desk.connection() as connection:
        view = await read_anchors(connection, form)
    return await visit.show("anchors.html", view)


@router.post("/anchors")
async def choose_anchors(visit: Visiting) -> Response:
    """Choose a suite's anchors anew."""
    reader = Reader(await visit.read_form(Scope.SUBMIT), LABELS)
    request = reader.check(
        AnchorsRequest,
        {
            "suite": reader.text("suite"),
            "borderline": reader.whole("borderline"),
            "clear": reader.whole("clear"),
            "runs": reader.whole("runs"),
        },
    )
    refusal = ""
    try:
        if request is not None:
            stored = await anchoring.choose(visit.desk, visit.actor, request)
            return visit.go(f"/anchors/label?suite={stored.suite}")
    except InvalidInput as error:
        reader.refuse(error)
    except NotFound as error:
        reader.refuse(InvalidInput("suite", error.detail))
    except TooFewAnswers as error:
        refusal = error.detail
    async with visit.desk.connection() as connection:
        view = await read_anchors(connection, reader.filled, refusal=refusal)
    return await visit.show("anchors.html", view, HTTPStatus.UNPROCESSABLE_ENTITY)


@router.get("/anchors/label")
async def show_card(
    visit: Visiting, suite: SuiteName, after: Known = None, said: Known = None, anchor: Known = None
) -> Response:
    """The next card that nobody has labelled, or one to label again; `said` is the one before."""
    async with visit.desk.connection() as connection:
        active = await _find_set(connection, suite)
        before = await _find_in(connection, active, said)
        card = await _find_in(connection, active, anchor)
        if card is None:
            card = await anchor_sets.find_unlabelled(connection, active.id, after or said or 0)
        view = describe_labelling(active, card, before)
    return await visit.show("label.html", view)


@router.post("/anchors/{anchor_id}/label")
async def label_anchor(visit: Visiting, anchor_id: AnchorId) -> Response:
    """Write down what a person says of a card; unsure leaves it for later. Then comes the next one."""
    form = await visit.read_form(Scope.SUBMIT)
    suite, verdict = str(form.get("suite", "")), str(form.get("verdict", ""))
    async with visit.desk.connection() as connection, connection.transaction():
        active = await _find_set(connection, suite)
        anchor = await _find_in(connection, active, anchor_id)
        if anchor is None:
            told = "Its anchors were chosen anew since."
            next_card = Link(f"/anchors/label?suite={suite}", "The next card")
            raise NotThere(f"{suite} has no anchor {anchor_id}", told, next_card)
        if verdict == "unsure":
            return visit.go(f"/anchors/label?suite={suite}&after={anchor.id}")
        if verdict in SCORES:
            await anchoring.label(connection, visit.actor, anchor.id, SCORES[verdict])
            return visit.go(f"/anchors/label?suite={suite}&said={anchor.id}")
        view = describe_labelling(active, anchor, None, error="Choose pass, fail or unsure.")
    return await visit.show("label.html", view, HTTPStatus.UNPROCESSABLE_ENTITY)


async def _find_in(connection: Connection, active: AnchorSet, anchor_id: int | None) -> Anchor | None:
    """An anchor of this set; None: there is none such, or nobody asks."""
    found = await anchor_sets.find_anchor(connection, anchor_id) if anchor_id is not None else None
    return found if found is not None and found.set_id == active.id else None


async def _find_set(connection: Connection, suite: str) -> AnchorSet:
    """
    Raises:
        NotThere
    """
    active = await anchor_sets.find_active_set(connection, suite)
    if active is None:
        told = "Choose some from its stored answers first."
        raise NotThere(f"{suite[:40]} has no anchors", told, Link("/anchors", "All anchors"))
    return active
