"""The fold of a schedule, kept beside its results: read, brought up to date, and written again.

The scheduler folds in a night when it is over; the API folds anew when a person decides about nights.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from shared.db import detections, sequences
from shared.db.anchors import read_judgements
from shared.db.detections import StoredFold
from shared.db.ledger import read_terms
from shared.db.pool import Connection
from shared.db.sequences import Place
from shared.domain.causes.ledger import Terms, epochs
from shared.domain.drift.detections import Detection
from shared.domain.drift.fold import Decisions, Fold
from shared.domain.drift.history import History
from shared.domain.drift.sequence import Anchoring, Entry
from shared.domain.runs import RunId

ENTRIES_AT_ONCE = 10
INCIDENT_REPEATS = 5  # how often the judge hears its anchors on a night with an open incident


@dataclass(frozen=True, slots=True)
class SequenceAt:
    """A schedule's sequence up to one entry: where its entries are, and what is known about each."""

    schedule_id: int
    places: Sequence[Place]
    terms: Sequence[Terms]
    epochs: Sequence[str]
    decisions: Sequence[Decisions]
    anchors: Mapping[RunId, Anchoring]
    controls: Collection[str]

    def fingerprint(self, entries: int) -> str:
        anchored = (self.anchors.get(place.scored_by) for place in self.places[:entries])
        heard = [len(one.scores) if one else 0 for one in anchored]
        return detections.fingerprint_of(
            self.places[:entries], self.decisions[:entries], self.epochs[:entries], heard, self.controls
        )

    def place_of(self, run_id: RunId) -> int | None:
        """An entry's place, from 1; None if the sequence does not have it (any more)."""
        return next((place.sequence for place in self.places if place.run_id == run_id), None)

    async def read(
        self, connection: Connection, first: int, last: int, models: Sequence[str] | None = None
    ) -> list[Entry]:
        """The entries from one place to another, both included."""
        places = self.places[first - 1 : last]
        by_run = {place.scored_by: epoch for place, epoch in zip(self.places, self.epochs, strict=True)}
        return await sequences.read_entries(
            connection, places, by_run, models=models, without=self.controls, anchors=self.anchors
        )

    async def heard_in_full(self, connection: Connection) -> "SequenceAt":
        """The same with all that the judge said of its anchors: on an incident it is asked again."""
        terms = {place.scored_by: each for place, each in zip(self.places, self.terms, strict=True)}
        return replace(self, anchors=await _read_anchorings(connection, terms, INCIDENT_REPEATS))

    async def history(self, connection: Connection, model: str) -> History:
        entries = await self.read(connection, 1, len(self.places), [model])
        return History(model, tuple(entries), tuple(self.decisions))


async def read_sequence(
    connection: Connection, schedule_id: int, controls: Collection[str], last: RunId | None = None
) -> SequenceAt:
    """Read what is known about a schedule's entries, up to the one of a run or all of them."""
    places = await sequences.list_places(connection, schedule_id)
    if last is not None:
        end = next(place.sequence for place in places if place.run_id == last)
        places = places[:end]
    scored_by = [place.scored_by for place in places]
    terms = await read_terms(connection, scored_by)
    ordered = [terms[run_id] for run_id in scored_by]
    return SequenceAt(
        schedule_id=schedule_id,
        places=places,
        terms=ordered,
        epochs=epochs(ordered),
        decisions=sequences.decide(
            places,
            await sequences.list_acts(connection, schedule_id),
            await sequences.list_pins(connection, schedule_id),
        ),
        anchors=await _read_anchorings(connection, terms),
        controls=controls,
    )


async def read_history(
    connection: Connection, places: Sequence[Place], controls: Collection[str]
) -> SequenceAt:
    """The same of any entries in order, whatever schedule they are of, as if nothing had been decided."""
    terms = await read_terms(connection, [place.scored_by for place in places])
    ordered = [terms[place.scored_by] for place in places]
    return SequenceAt(
        schedule_id=0,
        places=places,
        terms=ordered,
        epochs=epochs(ordered),
        decisions=[Decisions()] * len(places),
        anchors=await _read_anchorings(connection, terms),
        controls=controls,
    )


async def fold_up_to(connection: Connection, sequence: SequenceAt, entries: int) -> Fold:
    """The fold after so many entries; where the stored one is of another past, all is folded anew."""
    stored = await detections.read_fold(connection, sequence.schedule_id)
    if (
        stored is not None
        and stored.fold.entries <= entries
        and stored.fingerprint == sequence.fingerprint(stored.fold.entries)
    ):
        return await _fold_on(connection, sequence, stored.fold, entries)
    await detections.drop_detections(connection, sequence.schedule_id)
    return await _fold_on(connection, sequence, Fold(), entries)


async def refold(connection: Connection, sequence: SequenceAt) -> Fold:
    """Compute all detections of a schedule anew from its stored results."""
    await detections.drop_detections(connection, sequence.schedule_id)
    fold = await _fold_on(connection, sequence, Fold(), len(sequence.places))
    await keep(connection, sequence, fold)
    return fold


async def refold_model(connection: Connection, before: SequenceAt, after: SequenceAt, model: str) -> None:
    """Compute one model's detections anew, after a decision about its entries alone."""
    stored = await detections.read_fold(connection, after.schedule_id)
    if (
        stored is None
        or stored.fold.entries != len(after.places)
        or stored.fingerprint != before.fingerprint(stored.fold.entries)
    ):
        await refold(connection, after)
        return
    history = await after.history(connection, model)
    alone, found = await asyncio.to_thread(history.refold)
    try:
        fold = stored.fold.with_models(alone)
    except ValueError:  # laid out otherwise, where not every model was asked the same questions
        await refold(connection, after)
        return
    await rewrite(connection, after, model, found)
    await keep(connection, after, fold)


async def rewrite(
    connection: Connection, sequence: SequenceAt, model: str, found: Sequence[Sequence[Detection]]
) -> None:
    """Put one model's detections in the place of those it had."""
    await detections.drop_detections(connection, sequence.schedule_id, models=[model])
    anew = (one for entry in found for one in entry if one.subject == "model")
    await detections.store_detections(connection, sequence.schedule_id, sequence.places, anew)


async def keep(connection: Connection, sequence: SequenceAt, fold: Fold) -> None:
    stored = StoredFold(sequence.fingerprint(fold.entries), fold)
    await detections.store_fold(connection, sequence.schedule_id, stored)


async def _read_anchorings(
    connection: Connection, terms: Mapping[RunId, Terms], repeats: int = 1
) -> dict[RunId, Anchoring]:
    judged = await read_judgements(connection, list(terms), repeats=repeats)
    return {
        run_id: Anchoring(judge.name, one.scores, one.strata, one.borderline_share)
        for run_id, one in judged.items()
        if one.scores and (judge := terms[run_id].judge) is not None
    }


async def _fold_on(connection: Connection, sequence: SequenceAt, fold: Fold, entries: int) -> Fold:
    while fold.entries < entries:
        last = min(fold.entries + ENTRIES_AT_ONCE, entries)
        found: list[Detection] = []
        for entry in await sequence.read(connection, fold.entries + 1, last):
            # Off the event loop, on which other work goes on meanwhile.
            fold, one = await asyncio.to_thread(fold.after, entry, sequence.decisions[fold.entries])
            found += one
        await detections.store_detections(connection, sequence.schedule_id, sequence.places, found)
    return fold
