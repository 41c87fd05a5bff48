"""`driftwarden gate` on runs that exist: what it finds, its exit codes, its reports."""

import asyncio
import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.factories import plan_run
from tests.integration.commands import Done, Terminal, open_terminal
from tests.integration.importing import import_rows, make_row
from tests.integration.serving import Api

QUESTIONS = 200


@pytest.fixture
def terminal(served_api: Api, tmp_path: Path) -> Terminal:
    return open_terminal(served_api, tmp_path / "work")


async def import_run(
    api: Api, name: str, scores: list[float | None], model: str = "bright", **changed: Any
) -> str:
    """A run with these scores, question by question."""
    unscored = {"error_kind": "timeout"}
    rows = [
        make_row(number, **{"run_id": name, "model": model, "score": score,
                            **({} if score is not None else unscored), **changed})
        for number, score in enumerate(scores, 1)
    ]  # fmt: skip
    [run] = await import_rows(api, *rows)
    return str(run["run_id"])


def right(number: int, of: int = QUESTIONS) -> list[float | None]:
    return [1.0] * number + [0.0] * (of - number)


async def gate(terminal: Terminal, baseline: str, candidate: str, *options: str) -> Done:
    return await terminal("gate", "--baseline", baseline, "--candidate", candidate, *options)


async def test_equal_runs_pass(served_api: Api, terminal: Terminal) -> None:
    before = await import_run(served_api, "before", right(170))
    after = await import_run(served_api, "after", right(170))
    done = await gate(terminal, before, after)
    assert done.code == 0, done.err
    assert done.out.startswith("GATE: PASS")
    assert "8 of 10" in done.out
    assert "What would decide it" not in done.out


async def test_a_regression_gives_code_1_and_shows_what_broke(served_api: Api, terminal: Terminal) -> None:
    before = await import_run(served_api, "before", right(170))
    after = await import_run(served_api, "after", right(130))
    done = await gate(terminal, before, after)
    assert done.code == 1, done.err
    assert done.out.startswith("GATE: REGRESSION")
    assert "−20.0" in done.out
    [row] = [line for line in done.out.splitlines() if line.startswith("bright") and "worse" in line]
    assert row.split()[-3:] == ["40", "0", "worse"]
    assert "30 more questions flipped" in done.out


async def test_few_questions_are_inconclusive_and_it_says_what_would_decide(
    served_api: Api, terminal: Terminal
) -> None:
    before = await import_run(served_api, "before", right(40, of=50))
    after = await import_run(served_api, "after", right(40, of=50))
    done = await gate(terminal, before, after)
    assert done.code == 3, done.err
    assert done.out.startswith("GATE: INCONCLUSIVE")
    told = await gate(terminal, before, after, "--json")
    deciding = json.loads(told.out)["deciding"]
    assert told.code == 3
    assert deciding["questions"] > 50
    assert f"two runs of {deciding['questions']} questions like these" in done.out.replace(
        "\N{NO-BREAK SPACE}", " "
    )


async def test_without_a_baseline_nothing_is_measured(served_api: Api, terminal: Terminal) -> None:
    after = await import_run(served_api, "after", right(170))
    none = await terminal("gate", "--baseline-label", "branch=main", "--candidate", after)
    pinned = await terminal("gate", "--baseline", "pinned", "--candidate", after)
    no_file = await terminal("gate", "--baseline-file", "absent.jsonl", "--candidate", after)
    assert (none.code, pinned.code, no_file.code) == (3, 3, 3)
    assert none.out.startswith("GATE: NOT MEASURED")
    assert "driftwarden run --suite golden --label branch=main --wait" in none.out
    assert "driftwarden baselines set" in pinned.out
    assert "driftwarden gate --results FILE" in no_file.out


async def test_a_server_that_is_away_gives_code_3(served_api: Api, tmp_path: Path) -> None:
    away = open_terminal(served_api, tmp_path / "work", "http://127.0.0.1:9")
    done = await away("gate", "--baseline", "1234abcd", "--suite", "golden", "--markdown", "gate.md")
    assert done.code == 3
    assert "gave no answer" in done.err
    assert "NOT MEASURED" in (away.folder / "gate.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--suite", "golden"), "--baseline: no baseline is named"),
        (("--baseline", "pinned"), "--suite: is missing"),
        (("--baseline", "pinned", "--suite", "golden", "--github-summary"), "--github-summary: "),
        (("--baseline", "pinned", "--suite", "golden", "--data", "x"), "--data: is for a server"),
        (("--baseline", "pinned", "--suite", "nothing"), "--suite: 'nothing' is not stored here"),
        (("--baseline", "pinned", "--suite", "golden", "--model", "nobody"), "--model: 'nobody'"),
        (("--baseline", "pinned", "--suite", "golden", "--margin", "much"), "--margin"),
        (("--baseline", "ffffffff", "--suite", "golden"), "There is no run whose id begins with ffffffff"),
    ],
)
async def test_a_mistake_gives_code_2_and_names_the_option(
    served_api: Api, terminal: Terminal, arguments: tuple[str, ...], told: str
) -> None:
    terminal.write("golden.csv", "id,category,input,expected_output,scorer", "q1,math,1 + 1?,2,numeric")
    await terminal("suite", "import", "golden.csv")
    done = await terminal("gate", *arguments)
    assert (done.code, done.out) == (2, "")
    assert told in done.err


async def test_every_criterion_has_its_own_finding(served_api: Api, terminal: Terminal) -> None:
    told = {"latency_seconds": 1.0, "cost_usd": 0.01}
    before = await import_run(served_api, "before", right(170), **told)
    after = await import_run(served_api, "after", right(170), **{**told, "latency_seconds": 2.0})
    limits = ("--min-accuracy", "0.7", "--max-cost-usd", "5", "--max-latency-ratio", "1.5")
    done = await gate(terminal, before, after, *limits, "--json")
    criteria = {each["wish"]: each["finding"] for each in json.loads(done.out)["criteria"]}
    assert done.code == 1
    assert criteria == {
        "not_worse": "pass", "measured": "pass", "min_accuracy": "pass", "max_cost_usd": "pass",
        "max_latency_ratio": "fail",
    }  # fmt: skip
    shown = await gate(terminal, before, after, *limits)
    assert shown.out.startswith("GATE: REGRESSION (latency ratio)")
    assert "2.00 (2.00–2.00)" in shown.out

    dear = await gate(terminal, before, after, "--max-cost-usd", "1")
    near = await gate(terminal, before, after, "--min-accuracy", "0.85")
    unknown = await gate(terminal, *[
        await import_run(served_api, name, right(170), latency_seconds=1) for name in ("third", "fourth")
    ], "--max-cost-usd", "1")  # fmt: skip
    assert (dear.code, near.code, unknown.code) == (1, 3, 3)
    assert "GATE: REGRESSION (cost)" in dear.out
    assert "GATE: INCONCLUSIVE (accuracy)" in near.out
    assert "GATE: NOT MEASURED (cost)" in unknown.out


async def test_what_was_hardly_measured_does_not_pass(served_api: Api, terminal: Terminal) -> None:
    before = await import_run(served_api, "before", right(400, of=400))
    after = await import_run(served_api, "after", [*right(300, of=300), *[None] * 100])
    done = await gate(terminal, before, after)
    assert done.code == 3
    assert "GATE: NOT MEASURED (answers scored)" in done.out
    assert "75.0\N{NO-BREAK SPACE}%" in done.out


async def test_a_model_without_a_baseline_does_not_pass(served_api: Api, terminal: Terminal) -> None:
    before = await import_run(served_api, "before", right(170))
    rows = [
        make_row(number, run_id="after", model=model)
        for model in ("bright", "new")
        for number in range(1, 201)
    ]
    [after] = await import_rows(served_api, *rows)
    done = await gate(terminal, before, after["run_id"])
    alone = await gate(terminal, before, after["run_id"], "--model", "bright")
    assert (done.code, alone.code) == (3, 0), done.err
    assert "new was not compared: only in the candidate." in done.out


async def test_a_run_that_did_not_come_to_its_end_is_not_judged(served_api: Api, terminal: Terminal) -> None:
    before = await import_run(served_api, "before", right(170))
    keys = await plan_run(served_api.desk.pool)
    await terminal("cancel", str(keys[0].run_id))
    process = await terminal.start("gate", "--baseline", before, "--candidate", str(keys[0].run_id))
    from services.worker.stop import stop_run

    await stop_run(served_api.desk.pool, served_api.desk.redis, keys[0].run_id)
    async with asyncio.timeout(30):
        _, err = await process.communicate()
    assert process.returncode == 3
    assert b"is cancelled, not completed" in err
    other_way_round = await gate(terminal, str(keys[0].run_id), before)
    assert other_way_round.code == 3
    assert "--baseline: run " in other_way_round.out


async def test_a_server_that_is_too_busy_gives_code_3(served_api: Api, tmp_path: Path) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 22\r\nConnection: close\r\n\r\n")
        writer.write(b'{"detail": "Too many"}')
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        busy = open_terminal(served_api, tmp_path / "work", url)
        done = await busy("gate", "--baseline", "1234abcd", "--suite", "golden")
    assert done.code == 3
    assert "takes no more for now" in done.err


async def test_runs_that_share_nothing_are_not_measured(served_api: Api, terminal: Terminal) -> None:
    before = await import_run(served_api, "before", right(100))
    after = await import_run(served_api, "after", right(100), suite="silver", input="another question")
    done = await gate(terminal, before, after)
    assert done.code == 3
    assert "No question has a score in both runs" in done.out


async def test_a_run_is_not_its_own_baseline(served_api: Api, terminal: Terminal) -> None:
    run = await import_run(served_api, "before", right(100))
    done = await gate(terminal, run, run)
    assert done.code == 2
    assert "--candidate: is the baseline itself" in done.err


async def test_junit_keeps_failures_errors_and_skips_apart(served_api: Api, terminal: Terminal) -> None:
    before = await import_run(served_api, "before", [1, 1, 0, 1, None, 1], response="<b>42</b>")
    after = await import_run(
        served_api, "after", [1, 0, 0, None, 1], response="bell \x07, escape \x1b[31m, U+FFFE \ufffe & <x>"
    )
    done = await gate(terminal, before, after, "--junit", "gate.xml")
    assert done.code == 3, done.err
    root = ElementTree.parse(terminal.folder / "gate.xml").getroot()
    cases = {case.get("name"): [child.tag for child in case] for case in root.iter("testcase")}
    assert cases == {
        "q-1": [], "q-2": ["failure"], "q-3": [], "q-4": ["error"], "q-5": ["skipped"], "q-6": ["skipped"],
    }  # fmt: skip
    assert {name: root.get(name) for name in ("tests", "failures", "errors", "skipped")} == {
        "tests": "6", "failures": "1", "errors": "1", "skipped": "2",
    }  # fmt: skip
    [failure] = root.iter("failure")
    assert failure.text is not None
    assert "<b>42</b>" in failure.text
    assert "bell \ufffd, escape \ufffd[31m, U+FFFE \ufffd & <x>" in failure.text


async def test_reports_are_written_and_the_summary_is_added_to(served_api: Api, terminal: Terminal) -> None:
    before = await import_run(served_api, "before", right(170))
    after = await import_run(served_api, "after", right(130))
    summary = terminal.write("summary.md", "# Job")
    done = await terminal(
        "gate", "--baseline", before, "--candidate", after, "--markdown", "gate.md", "--github-summary",
        GITHUB_STEP_SUMMARY=str(summary),
    )  # fmt: skip
    written = (terminal.folder / "gate.md").read_text()
    assert done.code == 1
    assert written.startswith("### Driftwarden gate: REGRESSION\n")
    assert summary.read_text() == f"# Job\n{written}"


async def test_a_reader_who_goes_away_does_not_change_the_code(served_api: Api, terminal: Terminal) -> None:
    before = await import_run(served_api, "before", right(170))
    after = await import_run(served_api, "after", right(170))
    process = await terminal.start("gate", "--baseline", before, "--candidate", after, "--json")
    assert process.stdout is not None
    process.stdout._transport.close()  # type: ignore[attr-defined]
    async with asyncio.timeout(30):
        assert await process.wait() == 0


async def test_interrupted_is_not_measured(served_api: Api, terminal: Terminal) -> None:
    before = await import_run(served_api, "before", right(170))
    keys = await plan_run(served_api.desk.pool)
    for stop in ("send_signal", "terminate"):
        process = await terminal.start("gate", "--baseline", before, "--candidate", str(keys[0].run_id))
        assert process.stderr is not None
        async with asyncio.timeout(30):
            assert b"0 of" in await process.stderr.readline()
            process.send_signal(2) if stop == "send_signal" else process.terminate()
            _, err = await process.communicate()
        assert process.returncode == 3
        assert f"driftwarden show {keys[0].run_id}".encode() in err
