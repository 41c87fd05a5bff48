"""What goes wrong with replies, what limits refuse, and what replies say about themselves."""

from statistics import fmean

import orjson
import pytest

from services.simulator.fleet import Malformed, Planned, Silence
from services.simulator.wire import Completion, Fault
from tests.unit.simulated import QUESTIONS, make_fleet, reply_to, request_for, text_of


@pytest.mark.parametrize(
    ("fault", "finish_reason", "text"),
    [
        ("content_filter", "content_filter", ""),
        ("empty", "stop", ""),
        ("refusal", "stop", "I'm sorry, but I can't help with that request."),
    ],
)
def test_faults_of_the_text(fault: str, finish_reason: str, text: str) -> None:
    reply = reply_to(make_fleet(atlas={"faults": {fault: 1}}), "atlas", QUESTIONS[0].input)
    assert isinstance(reply, Completion)
    assert (reply.finish_reason, reply.text) == (finish_reason, text)


def test_a_truncated_answer_ends_early_and_says_so() -> None:
    reply = reply_to(make_fleet(atlas={"faults": {"truncated": 1}}), "atlas", "Why is the sky blue?")
    whole = text_of(make_fleet(atlas={}), "atlas", "Why is the sky blue?")
    assert isinstance(reply, Completion)
    assert reply.finish_reason == "length"
    assert whole.startswith(reply.text)
    assert len(reply.text) < len(whole)


def test_max_tokens_cuts_an_answer() -> None:
    reply = reply_to(make_fleet(atlas={}), "atlas", "Why is the sky blue?", max_tokens=3)
    assert isinstance(reply, Completion)
    assert (reply.finish_reason, reply.output_tokens) == ("length", 3)


def test_faults_of_the_provider() -> None:
    fleet = make_fleet(
        limited={"faults": {"rate_limited": 1}, "limits": {"retry_after_seconds": 7}},
        broken={"faults": {"server_error": 1}},
        garbled={"faults": {"malformed": 1}},
        dead={"faults": {"hang": 1}},
    )
    limited, broken = reply_to(fleet, "limited", "hi"), reply_to(fleet, "broken", "hi")
    assert isinstance(limited, Fault)
    assert (limited.status, limited.retry_after_seconds) == (429, 7)
    assert isinstance(broken, Fault)
    assert broken.status == 500
    garbled = reply_to(fleet, "garbled", "hi")
    assert isinstance(garbled, Malformed)
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(garbled.body)
    assert isinstance(fleet.plan(request_for("dead", "hi")), Silence)


def test_a_share_of_faults_hits_that_share_of_requests_and_spares_a_second_try() -> None:
    fleet = make_fleet(QUESTIONS, atlas={"faults": {"server_error": 0.2}})
    first, second = (
        [isinstance(reply_to(fleet, "atlas", q.input), Fault) for q in QUESTIONS] for _ in range(2)
    )
    assert fmean(first) == pytest.approx(0.2, abs=0.04)
    assert fmean(a and b for a, b in zip(first, second, strict=True)) == pytest.approx(0.04, abs=0.02)


def test_limits_of_a_minute_are_refused_until_the_minute_is_over() -> None:
    fleet = make_fleet(atlas={"limits": {"requests_per_minute": 2}})
    request = request_for("atlas", "hi")
    assert [fleet.refuse(request, now) for now in (100.0, 130.0)] == [None, None]
    refused = fleet.refuse(request, 140.0)
    assert isinstance(refused, Fault)
    assert (refused.status, refused.retry_after_seconds) == (429, 21)
    assert fleet.refuse(request, 161.0) is None


def test_requests_beyond_those_in_flight_are_refused() -> None:
    fleet = make_fleet(atlas={"limits": {"in_flight": 1}})
    request = request_for("atlas", "hi")
    with fleet.visit("atlas"):
        refused = fleet.refuse(request, 0.0)
        assert isinstance(refused, Fault)
        assert refused.status == 429
    assert fleet.refuse(request, 0.0) is None


def test_a_context_that_is_too_long_is_refused() -> None:
    fleet = make_fleet(atlas={"limits": {"context_tokens": 3}})
    refused = fleet.refuse(request_for("atlas", "thirteen char"), 0.0)
    assert isinstance(refused, Fault)
    assert (refused.status, refused.code) == (400, "context_length_exceeded")
    assert fleet.refuse(request_for("atlas", "twelve chars"), 0.0) is None


def test_code_fences_can_come_overnight() -> None:
    fleet = make_fleet(atlas={"skill": 1, "noise": 0, "drift": [{"night": 2, "output": "fenced"}]})
    plain = text_of(fleet, "atlas", QUESTIONS[0].input)
    fleet.calendar.set(2)
    assert text_of(fleet, "atlas", QUESTIONS[0].input) == f"```\n{plain}\n```"


def test_identity_and_token_counts_are_as_configured() -> None:
    fleet = make_fleet(
        atlas={
            "served_model": "atlas-0301",
            "tokens": {"input": 50, "output": 20},
            "drift": [{"night": 3, "system_fingerprint": "fp_9"}],
        }
    )
    fleet.calendar.set(3)
    reply = reply_to(fleet, "atlas", "hi")
    assert isinstance(reply, Completion)
    assert (reply.served_model, reply.system_fingerprint) == ("atlas-0301", "fp_9")
    assert (reply.input_tokens, reply.output_tokens) == (50, 20)


def test_latency_is_drawn_per_request_around_its_mean() -> None:
    fleet = make_fleet(QUESTIONS, atlas={"latency": {"mean_seconds": 2.0}}, moth={"latency": 0.5})
    waits = []
    for question in QUESTIONS:
        planned = fleet.plan(request_for("atlas", question.input))
        assert isinstance(planned, Planned)
        waits.append(planned.wait_seconds)
    assert fmean(waits) == pytest.approx(2.0, rel=0.05)
    assert len(set(waits)) == len(waits)
    assert fleet.plan(request_for("moth", "hi")) == Planned(reply_to(fleet, "moth", "hi"), 0.5)
