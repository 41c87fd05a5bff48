"""Recorded answers, given again."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from services.simulator.config import SimulatorConfig
from services.simulator.fleet import Fleet, Planned
from services.simulator.wire import Completion, Fault
from shared.domain.errors import InvalidInput
from tests.unit.simulated import reply_to, request_for, text_of


def write_recordings(folder: Path, *rows: dict[str, Any]) -> None:
    (folder / "tape.jsonl").write_bytes(b"\n".join(map(orjson.dumps, rows)))


def replaying(folder: Path, **models: dict[str, Any]) -> Fleet:
    config = SimulatorConfig.model_validate({"replay": "tape.jsonl", "models": models})
    return Fleet(config, folder)


def row(response: str, **fields: Any) -> dict[str, Any]:
    return {"model": "old", "input": "Is 7 prime?", "response": response, **fields}


def test_recorded_answers_come_in_their_order_and_round_again(tmp_path: Path) -> None:
    write_recordings(tmp_path, row("yes"), row("Yes."), row("[Yes]"))
    fleet = replaying(tmp_path)
    assert [text_of(fleet, "old", "Is 7 prime?") for _ in range(4)] == ["yes", "Yes.", "[Yes]", "yes"]


def test_recordings_of_a_night_are_played_on_that_night(tmp_path: Path) -> None:
    write_recordings(tmp_path, row("yes", night=1), row("no", night=2))
    fleet = replaying(tmp_path)
    assert text_of(fleet, "old", "Please: Is 7 prime? Thanks.") == "yes"
    fleet.calendar.set(2)
    assert text_of(fleet, "old", "Is 7 prime?") == "no"
    fleet.calendar.set(3)
    missing = reply_to(fleet, "old", "Is 7 prime?")
    assert isinstance(missing, Fault)
    assert (missing.status, missing.code) == (404, "recording_not_found")


def test_what_was_never_recorded_is_not_found(tmp_path: Path) -> None:
    write_recordings(tmp_path, row("yes"))
    missing = reply_to(replaying(tmp_path), "old", "Is 8 prime?")
    assert isinstance(missing, Fault)
    assert missing.status == 404
    assert "old" in missing.message


def test_recorded_tokens_and_seconds_are_repeated(tmp_path: Path) -> None:
    write_recordings(tmp_path, row("yes", latency_seconds=1.5, input_tokens=40, output_tokens=9))
    planned = replaying(tmp_path).plan(request_for("old", "Is 7 prime?"))
    assert isinstance(planned, Planned)
    assert planned.wait_seconds == 1.5
    assert isinstance(planned.reply, Completion)
    assert (planned.reply.input_tokens, planned.reply.output_tokens) == (40, 9)


def test_a_configured_latency_replaces_the_recorded_one(tmp_path: Path) -> None:
    write_recordings(tmp_path, row("yes", latency_seconds=1.5))
    fleet = replaying(tmp_path, old={"kind": "replay", "latency": 0})
    planned = fleet.plan(request_for("old", "Is 7 prime?"))
    assert isinstance(planned, Planned)
    assert planned.wait_seconds == 0


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ('{"model": "old", "input": "a"}', "line 2: response"),
        ('{"model": "old", "input": "a", "response": "b", "night": "two"}', "line 2: night"),
        ('{"model": "old", "input": "a", "response": "b", "latency_seconds": -1}', "line 2: latency_seconds"),
        ("{", "line 2"),
        ("[]", "line 2"),
    ],
)
def test_a_bad_recording_is_refused_by_line_and_field(tmp_path: Path, line: str, field: str) -> None:
    good = orjson.dumps(row("yes")).decode()
    (tmp_path / "tape.jsonl").write_text(f"{good}\n{line}\n")
    with pytest.raises(InvalidInput) as error:
        replaying(tmp_path)
    assert error.value.field == f"{tmp_path / 'tape.jsonl'}, {field}"


def test_a_replay_without_recordings_is_refused(tmp_path: Path) -> None:
    write_recordings(tmp_path, row("yes"))
    with pytest.raises(InvalidInput, match=r"models\.new"):
        replaying(tmp_path, new={"kind": "replay"})
