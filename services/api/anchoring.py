"""Anchors: chosen anew, labelled by people, and how far the judge agrees with them."""

import asyncio
from http import HTTPStatus

from services.api.desk import Desk
from services.api.lookup import find_suite
from services.api.problems import NotFound, Problem
from services.api.schemas import anchors as schemas
from shared.db import anchor_sets, audit
from shared.db.anchor_sets import Anchor, AnchorSet
from shared.db.pool import Connection
from shared.domain.answers.agreement import measure_agreement
from shared.domain.answers.anchors import LEAST_ANCHORS, Stratum, TooFew, choose_anchors
from shared.domain.errors import InvalidInput


class TooFewAnswers(Problem):
    status, title = HTTPStatus.CONFLICT, "Too few answers"


async def choose(desk: Desk, actor: str, request: schemas.AnchorsRequest) -> AnchorSet:
    """Choose a suite's anchors anew from what its judge has scored.

    Raises:
        InvalidInput: so few anchors tell nothing.
        NotFound: there is no such suite.
        TooFewAnswers: the suite's answers do not suffice.
    """
    if request.borderline + request.clear < LEAST_ANCHORS:
        problem = f"and clear make {request.borderline + request.clear} anchors, which tell nothing."
        raise InvalidInput("borderline", problem, f"Ask for {LEAST_ANCHORS} or more in all.")
    async with desk.connection() as connection:
        suite = await find_suite(connection, request.suite, None)
        graded = await anchor_sets.read_graded(connection, suite.name, request.runs)
    choice = await asyncio.to_thread(
        choose_anchors, graded, borderline=request.borderline, clear=request.clear, seed=suite.name
    )
    if isinstance(choice, TooFew):
        raise TooFewAnswers(_tell_why(suite.name, suite.asks_judge, choice))
    async with desk.connection() as connection, connection.transaction():
        stored = await anchor_sets.store_set(connection, suite.name, choice, actor)
        facts = {"set": stored.id, **request.model_dump(exclude={"suite"})}
        await audit.record(connection, actor, "anchors.created", suite.name, facts)
    return stored


async def label(connection: Connection, actor: str, anchor_id: int, score: float) -> Anchor:
    """Write down what a person says an anchor is worth. Call it inside a transaction.

    Raises:
        NotFound: there is no such anchor.
    """
    anchor = await anchor_sets.label_anchor(connection, anchor_id, score, actor)
    if anchor is None:
        raise NotFound(f"There is no anchor {anchor_id}.")
    await audit.record(connection, actor, "anchor.labelled", str(anchor_id), {"score": score})
    return anchor


async def tell_agreement(connection: Connection, active: AnchorSet) -> schemas.JudgeAgreement:
    """How far the judge agrees with people, over the anchors of a set that people have scored."""
    rated = await anchor_sets.read_rated(connection, active.id)
    told = schemas.Agreement.model_validate(measure_agreement(each for _, each in rated))
    by_stratum = {
        stratum: schemas.Agreement.model_validate(
            measure_agreement(each for its, each in rated if its is stratum)
        )
        for stratum in Stratum
    }
    its_set = schemas.AnchorSet.model_validate(active, from_attributes=True)
    return schemas.JudgeAgreement(**told.model_dump(), set=its_set, by_stratum=by_stratum)


def _tell_why(suite: str, asks_judge: bool, found: TooFew) -> str:
    if not asks_judge:
        return f"No question of {suite!r} asks a judge, so it needs no anchors."
    return (
        f"{suite!r} has {found.borderline} borderline and {found.clear} clear answers that suit, one for"
        f" each question and model, and {LEAST_ANCHORS} are needed in all. Measure more questions or models,"
        " or look at more runs."
    )
