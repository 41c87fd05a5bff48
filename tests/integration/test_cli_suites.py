"""`driftwarden suite`: files become suites, and a mistake in one is told by file and line."""

from pathlib import Path

import pytest

from tests.integration.commands import Terminal, open_terminal
from tests.integration.serving import Api

HEAD = "id,category,input,expected_output,scorer"


@pytest.fixture
def terminal(served_api: Api, tmp_path: Path) -> Terminal:
    return open_terminal(served_api, tmp_path / "work")


async def test_a_file_becomes_a_suite_and_then_a_new_version(terminal: Terminal) -> None:
    terminal.write("golden.csv", HEAD, "q1,math,What is 1 + 1?,2,numeric")
    first = await terminal("suite", "import", "golden.csv")
    again = await terminal("suite", "import", "golden.csv")
    terminal.write("golden.csv", HEAD, "q1,math,What is 1 + 1?,2,numeric", "q2,math,What is 2 + 2?,4,numeric")
    changed = await terminal("suite", "import", "golden.csv", "--json")
    assert (first.code, first.rows) == (0, [["golden", "1", "1", "new", "version"]])
    assert again.rows == [["golden", "1", "1", "unchanged"]]
    assert [(suite["version"], suite["is_new"]) for suite in changed.json["items"]] == [(2, True)]


async def test_a_suite_is_shown_with_categories_versions_and_questions(terminal: Terminal) -> None:
    terminal.write("golden.csv", HEAD, "q1,math,What is 1 + 1?,2,numeric")
    await terminal("suite", "import", "golden.csv", "--name", "nightly")
    terminal.write("golden.csv", HEAD, "q1,math,What is 1 + 1?,2,numeric", "q2,history,Who was first?,Ada,")
    await terminal("suite", "import", "golden.csv", "--name", "nightly")

    listed = await terminal("suite", "list", "--json")
    shown = await terminal("suite", "show", "nightly")
    questions = await terminal("suite", "show", "nightly", "--questions", "--version", "1")
    assert [suite["name"] for suite in listed.json["items"]] == ["nightly"]
    assert "judge      asked" in shown.out
    assert ["history", "1"] in [line.split() for line in shown.out.splitlines()]
    assert [row[0] for row in questions.rows] == ["q1"]


async def test_a_folder_is_imported_but_for_what_is_wrong_in_it(terminal: Terminal) -> None:
    terminal.write("suites/good.csv", HEAD, "q1,math,What is 1 + 1?,2,numeric")
    terminal.write(
        "suites/bad.csv", HEAD, "q1,math,What is 1 + 1?,2,numeric", "q1,math,What is 2 + 2?,4,numeric"
    )
    terminal.write("suites/README.md", "These are suites.")
    done = await terminal("suite", "import", "suites")
    assert done.code == 2
    assert [row[0] for row in done.rows] == ["good"]
    assert "bad.csv" in done.err
    assert "3" in done.err
    assert "q1" in done.err


@pytest.mark.parametrize("arguments", [("nothing.csv",), ("empty",), ("full", "--name", "x")])
async def test_what_can_not_be_imported_is_said_before_anything_is_sent(
    terminal: Terminal, arguments: tuple[str, ...]
) -> None:
    (terminal.folder / "empty").mkdir()
    terminal.write("full/good.csv", HEAD, "q1,math,What is 1 + 1?,2,numeric")
    done = await terminal("suite", "import", *arguments, DRIFTWARDEN_URL="http://127.0.0.1:9")
    assert done.code == 2
    assert done.err.startswith("driftwarden: ")


async def test_an_unknown_suite_is_refused_by_the_server(terminal: Terminal) -> None:
    done = await terminal("suite", "show", "nothing")
    assert (done.code, done.out) == (2, "")
    assert "nothing" in done.err
