"""The fold: the same entries and decisions give the same detections, bit for bit, however they are folded."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from shared.db.detections import pack, unpack
from shared.domain.drift import detect as drift
from shared.domain.drift.budget import Budget, share_quality
from shared.domain.drift.detections import Dated, Outcome, Subject
from shared.domain.drift.fold import Decisions, Fold, deserves_confirmation
from shared.domain.drift.history import History
from shared.domain.drift.sequence import Anchoring, Asked
from tests.unit.sequences import (
    SUITE,
    Past,
    answer,
    by_stream,
    difference,
    every,
    exactly,
    fold_in,
    make_entry,
    of_model,
    pasts,
)

calmly = settings(
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    max_examples=15,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # a past made of a seed does not shrink
)


@calmly
@given(pasts())
def test_a_fold_that_was_put_away_each_night_goes_on_as_if_it_had_not(past: Past) -> None:
    _, at_once = fold_in(past.entries, past.decisions)
    fold, nightly = Fold(), []
    for entry, decisions in zip(past.entries, past.decisions, strict=True):
        fold, found = unpack(pack(fold)).after(entry, decisions)
        nightly.append(found)

    assert difference(every(nightly), every(at_once)) is None
    assert pack(unpack(pack(fold))) == pack(fold)


@calmly
@given(pasts())
def test_a_model_is_told_the_same_alone_and_beside_others(past: Past) -> None:
    _, together = fold_in(past.entries, past.decisions)
    for model in past.models:
        _, alone = fold_in(past.only(model), past.decisions)
        mine, beside = of_model(alone, model), of_model(together, model)
        assert difference(every(mine), every(beside)) is None


def test_a_neighbour_that_is_graded_finely_changes_no_bit_of_the_others() -> None:
    chance = np.random.default_rng(2)
    entries = []
    for place in range(1, 13):
        scores = answer(chance, 2, 60, 0.7)
        if place > 4:
            scores[0] = chance.random(60)
        entries.append(make_entry(place, ["graded", "dim"], scores))
    _, together = fold_in(entries)
    _, alone = fold_in([entry.select(["dim"]) for entry in entries])
    assert difference(every(alone), every(of_model(together, "dim"))) is None


@calmly
@given(pasts(), st.data())
def test_the_order_of_questions_is_irrelevant(past: Past, data: st.DataObject) -> None:
    shuffled = []
    for entry in past.entries:
        order = data.draw(st.permutations(range(len(entry.questions))))
        arrays = {
            name: getattr(entry.measured, name)[:, order]
            for name in type(entry.measured).__slots__
            if name != "coverage"
        }
        shuffled.append(
            replace(
                entry,
                questions=tuple(entry.questions[at] for at in order),
                measured=replace(entry.measured, **arrays),
            )
        )
    for one, other in zip(
        fold_in(past.entries, past.decisions)[1], fold_in(shuffled, past.decisions)[1], strict=True
    ):
        kept, moved = (sorted(each, key=lambda d: (d.model, d.stream)) for each in (one, other))
        for before, after in zip(kept, moved, strict=True):
            assert (before.stream, before.outcome, before.change) == (
                after.stream,
                after.outcome,
                after.change,
            )
            np.testing.assert_allclose(after.log_worse, before.log_worse, rtol=1e-9, atol=1e-9)


@calmly
@given(pasts(least=2), st.data())
def test_only_the_models_that_were_folded_anew_are_replaced(past: Past, data: st.DataObject) -> None:
    """What is replaced goes on like a fold with these decisions, the others like one without them."""
    known = sorted({model for entry in past.entries for model in entry.models})
    model = data.draw(st.sampled_from(known))
    place = data.draw(st.integers(0, len(past.entries) - 1))
    decided = list(past.decisions)
    decided[place] = replace(decided[place], set_aside=decided[place].set_aside | {model})

    before, _ = fold_in(past.entries, past.decisions)
    alone, _ = History(model, past.only(model), tuple(decided)).refold()
    mixed = before.with_models(alone)
    anew, _ = fold_in(past.entries, decided)

    last = past.entries[-1]
    tonight = make_entry(
        99, known, answer(np.random.default_rng(1), len(known), len(last.questions)),
        questions=last.questions,
        epoch=last.epoch,
    )  # fmt: skip
    for other in known:
        expected = (anew if other == model else before).after(tonight)[1]
        told = mixed.after(tonight)[1]
        assert difference(every(of_model([told], other)), every(of_model([expected], other))) is None


@calmly
@given(pasts())
def test_a_history_folds_its_model_and_nothing_else(past: Past) -> None:
    _, together = fold_in(past.entries, past.decisions)
    for model in past.models:
        _, alone = History(model, past.only(model), past.decisions).refold()
        assert difference(every(alone), every(of_model(together, model))) is None


@given(st.integers(0, 2**32), st.floats(0, 1), st.booleans())
@settings(deadline=None, max_examples=5)
def test_a_model_never_drifts_from_itself(seed: int, right: float, graded: bool) -> None:
    """The same answers every night are no change, however they are scored and however long it lasts."""
    chance = np.random.default_rng(seed)
    scores = chance.random((1, 20)) if graded else answer(chance, 1, 20, right)
    _, found = fold_in([make_entry(place, ["dim"], scores) for place in range(1, 100)])
    outcomes = {(one.stream, one.outcome) for tonight in found[7:] for one in tonight}
    assert {outcome for _, outcome in outcomes} <= {Outcome.SILENT, Outcome.QUIET}


def test_the_fold_agrees_with_the_plain_detector_on_a_plain_sequence() -> None:
    chance = np.random.default_rng(4)
    nights = np.stack([answer(chance, 2, 60, 0.8 if night < 20 else 0.5) for night in range(30)])
    questions = SUITE[:60]
    entries = [make_entry(place, ["bright", "dim"], night) for place, night in enumerate(nights, start=1)]
    metric = drift.observe_quality([one.category for one in questions])
    thresholds = Budget(2).of_each_model(share_quality(len(metric.streams) - 2))
    plain = drift.detect(drift.Nights(nights.astype(np.int8), np.ones((30, 2))), metric, [thresholds] * 30)
    alarms = 0
    for tonight, expected in zip(fold_in(entries)[1], plain, strict=True):
        for row, model in enumerate(("bright", "dim")):
            told = by_stream(tonight, model)
            for column, stream in enumerate(metric.streams):
                one = told[stream.name if column < 2 else f"category:{stream.name}"]
                reading = expected.reading
                assert one.z_low == reading.low[row, column]
                assert one.z_high == reading.high[row, column]
                assert one.log_worse == reading.log_worse[row, column]
                assert one.log_better == reading.log_better[row, column]
                assert one.overdispersion == expected.overdispersion[row, column]
                assert one.log_alarm == thresholds.log_alarm[column]
                assert (one.outcome is Outcome.ALARM) == reading.has_alarm[row, column]
                if one.outcome is Outcome.ALARM:
                    dates = reading.change
                    assert one.change == Dated(
                        *(int(each[row, column]) for each in (dates.best, dates.earliest, dates.latest))
                    )  # fmt: skip
                    alarms += 1
    assert alarms >= 4


def test_an_alarm_of_a_category_that_came_late_is_dated_by_its_place_in_the_sequence() -> None:
    """Places count the entries of the sequence, not the nights that the category has seen."""
    chance = np.random.default_rng(7)
    old = SUITE[:40]
    new = tuple(Asked(f"n{number}", f"n{number}", "late") for number in range(40))
    entries = [make_entry(place, ["dim"], answer(chance, 1, 40)) for place in range(1, 21)]
    for place in range(21, 46):
        scores = answer(chance, 1, 80)
        if place >= 38:
            scores[:, 40:] = answer(chance, 1, 40, 0.2)
        entries.append(make_entry(place, ["dim"], scores, questions=(*old, *new)))

    _, found = fold_in(entries)
    alarms = [
        one for tonight in found for one in tonight
        if one.stream == "category:late" and one.outcome is Outcome.ALARM
    ]  # fmt: skip

    assert alarms[0].change is not None
    assert alarms[0].sequence in (38, 39, 40)
    assert alarms[0].change.earliest <= 38 <= alarms[0].change.latest
    assert alarms[0].change.latest <= alarms[0].sequence


def test_a_night_that_is_measured_twice_is_one_more_night_and_sets_nothing_off() -> None:
    chance = np.random.default_rng(3)
    entries = [make_entry(place, ["dim"], answer(chance, 1, 60)) for place in range(1, 20)]
    twice = [*entries, replace(entries[-1], run_id=make_entry(20, ["dim"], np.ones((1, 1))).run_id)]
    once, found = fold_in(entries)
    again, more = fold_in(twice)

    assert difference(every(more[:-1]), every(found)) is None
    assert again.entries == once.entries + 1
    assert {one.outcome for one in more[-1]} <= {Outcome.QUIET, Outcome.SILENT}


def test_what_is_set_aside_leaves_no_trace_but_its_row() -> None:
    chance = np.random.default_rng(5)
    entries = [make_entry(place, ["dim"], answer(chance, 1, 60)) for place in range(1, 20)]
    bad = make_entry(50, ["dim"], np.zeros((1, 60)))
    with_bad = [*entries[:10], bad, *entries[10:]]
    decisions = [Decisions()] * 10 + [Decisions(set_aside=frozenset({"dim"}))] + [Decisions()] * 9

    _, clean = fold_in(entries)
    _, found = fold_in(with_bad, decisions)

    assert {one.outcome for one in found[10]} == {Outcome.SET_ASIDE}
    assert {one.z_low for one in found[10]} == {None}
    for one, other in zip([*found[:10], *found[11:]], clean, strict=True):
        mine, theirs = (exactly(each, without=("sequence", "change")) for each in (one, other))
        assert difference(mine, theirs) is None


def test_an_accepted_baseline_is_a_beginning() -> None:
    """From that entry on a model is told what a fold would tell that had begun there."""
    chance = np.random.default_rng(6)
    entries = [
        make_entry(place, ["dim"], answer(chance, 1, 60, 0.9 if place < 15 else 0.5))
        for place in range(1, 25)
    ]
    decisions = [
        Decisions(restart=frozenset({"dim"})) if place == 15 else Decisions() for place in range(1, 25)
    ]
    _, found = fold_in(entries, decisions)
    _, fresh = fold_in(entries[14:])

    for one, other in zip(found[14:], fresh, strict=True):
        assert difference(exactly(one, without=("sequence",)), exactly(other, without=("sequence",))) is None
    assert not any(one.outcome is Outcome.ALARM for tonight in found for one in tonight)


def test_a_night_with_too_little_coverage_enters_the_operations_alone() -> None:
    chance = np.random.default_rng(8)
    entries = [make_entry(place, ["dim"], answer(chance, 1, 60)) for place in range(1, 12)]
    thin = answer(chance, 1, 60)
    thin[:, :20] = np.nan
    _, found = fold_in([*entries, make_entry(12, ["dim"], thin)])
    told = by_stream(found[-1], "dim")

    assert told["accuracy"].outcome is Outcome.SET_ASIDE
    assert told["provider_error"].outcome is Outcome.ALARM
    assert told["provider_error"].z_low is not None


def test_two_questions_of_the_same_content_are_one_unit() -> None:
    questions = (*SUITE[:10], replace(SUITE[3], key="the same again"))
    chance = np.random.default_rng(9)
    for_all = [
        make_entry(place, ["dim"], answer(chance, 1, 11), questions=questions) for place in range(1, 6)
    ]
    fold, found = fold_in(for_all)

    assert len(fold.quality.units) == 10
    assert len(found) == 5


def test_a_model_that_joins_late_is_folded_alone_though_the_suite_had_changed_before() -> None:
    chance = np.random.default_rng(10)
    entries = [
        make_entry(
            place, ["bright"], answer(chance, 1, 20), questions=SUITE[:20] if place < 4 else SUITE[5:25]
        )
        for place in range(1, 8)
    ]
    entries += [
        make_entry(place, ["bright", "dim"], answer(chance, 2, 20), questions=SUITE[5:25])
        for place in range(8, 14)
    ]
    together, found = fold_in(entries)
    alone, told = History(
        "dim", tuple(entry.select(["dim"]) for entry in entries), (Decisions(),) * len(entries)
    ).refold()

    assert difference(every(told), every(of_model(found, "dim"))) is None
    mixed, whole = together.with_models(alone).after(entries[-1])[1], together.after(entries[-1])[1]
    assert difference(exactly(mixed), exactly(whole)) is None


def judged(scores: dict[int, float], judge: str = "judge") -> Anchoring:
    return Anchoring(judge, scores, dict.fromkeys(scores, "clear"), 0.5)


@pytest.mark.parametrize("right", [0.1, 1.0])
def test_a_judge_alarms_whichever_way_it_moves(right: float) -> None:
    chance = np.random.default_rng(11)
    entries = []
    for place in range(1, 40):
        scores = answer(chance, 1, 80, 0.6 if place < 25 else right)[0]
        anchors = judged(dict(enumerate(scores.tolist())))
        entries.append(make_entry(place, ["dim"], answer(chance, 1, 20), anchors=anchors))
    _, found = fold_in(entries)
    alarms = [
        one for tonight in found for one in tonight
        if one.subject is Subject.JUDGE and one.outcome is Outcome.ALARM
    ]  # fmt: skip

    assert alarms
    assert alarms[0].change is not None
    assert 24 <= alarms[0].change.best <= 26 <= alarms[0].sequence + 1


@pytest.mark.parametrize("hears_at_once", [True, False])
def test_another_judge_begins_anew_though_it_was_not_heard_on_the_first_night(hears_at_once: bool) -> None:
    """Anchors that another judge version scores otherwise are no drift of the judge."""
    chance = np.random.default_rng(12)
    entries = []
    for place in range(1, 40):
        is_new = place >= 25
        scores = answer(chance, 1, 80, 0.1 if is_new else 0.9)[0]
        anchors = judged(dict(enumerate(scores.tolist())))
        entries.append(
            make_entry(
                place,
                ["dim"],
                answer(chance, 1, 20),
                epoch="new" if is_new else "old",
                anchors=anchors if hears_at_once or place != 25 else None,
            )
        )
    _, found = fold_in(entries)
    told = [one for tonight in found for one in tonight if one.subject is Subject.JUDGE]
    assert Outcome.ALARM not in {one.outcome for one in told}


def test_a_watched_stream_in_quiet_nights_deserves_another_look() -> None:
    chance = np.random.default_rng(13)
    _, found = fold_in([make_entry(1, ["dim"], answer(chance, 1, 20))])
    one = by_stream(found[0], "dim")["accuracy"]
    watched = replace(one, outcome=Outcome.WATCHED)

    assert deserves_confirmation([watched])
    assert not deserves_confirmation([one])
    assert not deserves_confirmation([replace(watched, overdispersion=1.2)])
    assert not deserves_confirmation([replace(watched, stream="latency")])
    assert not deserves_confirmation([watched, replace(one, stream="weighted", outcome=Outcome.ALARM)])


def test_another_fold_of_other_entries_is_refused() -> None:
    chance = np.random.default_rng(14)
    entries = [make_entry(place, ["dim"], answer(chance, 1, 20)) for place in (1, 2)]
    fold, _ = fold_in(entries)
    with pytest.raises(ValueError, match="other entries"):
        fold.with_models(fold_in(entries[:1])[0])


def test_decay_is_looked_for_with_the_first_entry_of_a_month() -> None:
    """What fell by a little every night is told against the first seven nights."""
    chance = np.random.default_rng(15)
    entries = []
    for place in range(1, 60):
        right = 0.95 - 0.006 * place
        entries.append(make_entry(place, ["dim"], answer(chance, 1, 100, right)))
    _, found = fold_in(entries)
    compared = [one for tonight in found for one in tonight if one.stream == "decay"]
    firsts = [entry.night for entry in entries if entry.night.day == 1]

    assert firsts == [date(2026, 2, 1), date(2026, 3, 1)]
    assert [entries[one.sequence - 1].night for one in compared] == firsts
    assert compared[0].outcome is Outcome.ALARM
