"""Anchors and rejudging as they are typed."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.cli.anchors import read_labels
from services.cli.failures import Refused
from shared.domain.runs import RunId
from tests.integration.anchoring import Nights, open_nights
from tests.integration.commands import Terminal, open_terminal
from tests.integration.serving import serve_api

CREATE = ("anchors", "create", "--suite", "golden", "--borderline", "12", "--clear", "12")


@pytest.fixture
async def nights(database_url: str, redis_url: str, tmp_path: Path) -> AsyncIterator[Nights]:
    async with open_nights(database_url, redis_url, tmp_path) as nights:
        yield nights


@pytest.fixture
async def source(nights: Nights) -> RunId:
    """A night that is over."""
    return await nights.run()


@pytest.fixture
async def terminal(nights: Nights, source: RunId, tmp_path: Path) -> AsyncIterator[Terminal]:
    async with serve_api(nights.here.settings) as api:
        yield open_terminal(api, tmp_path / "work")


async def test_anchors_are_created_listed_labelled_and_compared_with_people(terminal: Terminal) -> None:
    created = await terminal(*CREATE)
    assert created.code == 0, created.err
    assert "12 borderline, 12 clear" in created.out
    nobody = await terminal("anchors", "agreement", "--suite", "golden")
    assert "No anchor is labelled yet" in nobody.out

    anchors = (await terminal("anchors", "list", "--suite", "golden", "--json")).json["items"]
    table = await terminal("anchors", "list", "--suite", "golden")
    assert len(re.findall(r"^ *\d+  (?:borderline|clear) ", table.out, re.MULTILINE)) == 24

    one = await terminal("anchors", "label", str(anchors[0]["id"]), "0.5", "--json")
    assert one.json["items"][0]["label"] == 0.5
    rows = [f"{anchor['id']},{float(anchor['score'] >= 0.5)}" for anchor in anchors]
    terminal.write("labels.csv", "id,score", *rows)
    many = await terminal("anchors", "label", "--file", "labels.csv")
    assert many.out == "24 anchors labelled.\n"
    told = await terminal("anchors", "agreement", "--suite", "golden")
    assert told.out.replace("\N{NO-BREAK SPACE}", " ").startswith(
        "Judge and people agree on 100.0 % of 24 answers: kappa 1.00 ("
    )


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        (["anchor,score", "1,1"], "line 1: the columns id and score"),
        (["id,score", "1,0.5", "one,1"], "line 3: 'one', '1' is no label"),
        (["id,score", "1"], "line 2: '1', None is no label"),
        (["id,score", "1,1.5"], "line 2: score 1.5 is outside 0 to 1"),
        (["id,score", "1,nan"], "line 2: score nan is outside 0 to 1"),
        (["id,score", "1,1", "1,0"], "line 3: anchor 1 is labelled twice"),
    ],
)
def test_a_file_with_a_mistake_labels_nothing(tmp_path: Path, lines: list[str], complaint: str) -> None:
    (tmp_path / "labels.csv").write_text("\n".join(lines))
    with pytest.raises(Refused, match=re.escape(complaint)):
        read_labels(tmp_path / "labels.csv")


async def test_a_run_is_judged_again_and_set_beside_the_original(
    terminal: Terminal, nights: Nights, source: RunId
) -> None:
    accepted = await terminal("rejudge", str(source), "--judge", "strict")
    assert accepted.code == 0, accepted.err
    await nights.here.work()
    compared = await terminal("compare", str(source), accepted.out.strip())
    assert compared.out.startswith("TWO JUDGES: both runs score the same answers")
    assert "judge v1 gives" in compared.out


async def test_a_schedules_nights_are_judged_again(terminal: Terminal, nights: Nights, source: RunId) -> None:
    first = await terminal("rejudge", "--schedule", "nightly", "--judge", "strict")
    assert str(source) in first.out
    assert "1 run accepted" in first.err
    await nights.here.work()
    again = await terminal("rejudge", "--schedule", "nightly", "--judge", "strict")
    assert "already" in again.out


@pytest.mark.parametrize(
    "arguments",
    [
        ("rejudge", "--judge", "strict"),
        ("rejudge", "RUN", "--schedule", "nightly", "--judge", "strict"),
        ("rejudge", "RUN", "--nights", "3", "--judge", "strict"),
        ("rejudge", "--schedule", "nightly", "--judge", "strict", "--wait"),
        ("anchors", "label", "1"),
        ("anchors", "label", "1", "1", "--file", "labels.csv"),
    ],
)
async def test_what_does_not_fit_together_is_refused(terminal: Terminal, arguments: tuple[str, ...]) -> None:
    assert (await terminal(*arguments)).code == 2
