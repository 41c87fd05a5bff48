"""How commands find their server, and whom they give a key to."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from services.cli.failures import Refused
from services.cli.server import find_server, segment
from services.cli.submit import find_git_commit, read_labels


def write_client_file(folder: Path, **content: str) -> None:
    (folder / ".driftwarden").mkdir()
    (folder / ".driftwarden" / "client.json").write_text(json.dumps(content))


def test_the_environment_comes_first(tmp_path: Path) -> None:
    write_client_file(tmp_path, url="http://127.0.0.1:1", api_key="dw_file")
    sources = {
        "the environment": {"DRIFTWARDEN_URL": "https://drift.example.org/", "DRIFTWARDEN_API_KEY": "dw_env"},
        ".env": {"DRIFTWARDEN_URL": "http://127.0.0.1:2"},
    }
    server = find_server(sources, tmp_path)
    assert (server.url, server.api_key, server.source) == (
        "https://drift.example.org",
        "dw_env",
        "the environment",
    )


def test_what_up_wrote_is_found_in_the_data_folder(tmp_path: Path) -> None:
    write_client_file(tmp_path, url="http://127.0.0.1:8700", api_key="dw_file")
    server = find_server({"the environment": {}}, tmp_path)
    assert (server.url, server.api_key) == ("http://127.0.0.1:8700", "dw_file")


def test_the_data_folder_can_be_named(tmp_path: Path) -> None:
    (tmp_path / "client.json").write_text('{"url": "http://127.0.0.1:8701", "api_key": null}')
    server = find_server({"the environment": {"DRIFTWARDEN_DATA": str(tmp_path)}})
    assert (server.url, server.api_key) == ("http://127.0.0.1:8701", None)


def test_a_key_is_given_to_no_address_from_another_source(tmp_path: Path) -> None:
    write_client_file(tmp_path, url="http://elsewhere.example.org", api_key="dw_file")
    with pytest.raises(Refused, match="DRIFTWARDEN_URL"):
        find_server({"the environment": {"DRIFTWARDEN_API_KEY": "dw_env"}}, tmp_path)


def test_without_a_server_the_person_is_told_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="driftwarden up"):
        find_server({"the environment": {}}, tmp_path)


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", '{"url": 7, "api_key": "x"}', '{"url": "http://a:1"}']
)
def test_a_broken_client_file_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / ".driftwarden").mkdir()
    (tmp_path / ".driftwarden" / "client.json").write_text(content)
    with pytest.raises(Refused, match=r"client\.json"):
        find_server({"the environment": {}}, tmp_path)


@pytest.mark.parametrize(
    "url",
    [
        "localhost:8700",
        "ftp://host",
        "http://",
        "http://host:0",
        "http://host:x",
        "http://host?a=1",
        "http://a@b",
    ],
)
def test_an_unusable_address_is_refused(url: str) -> None:
    with pytest.raises(Refused, match="address"):
        find_server({"the environment": {"DRIFTWARDEN_URL": url}})


def test_a_key_that_can_be_no_key_is_refused() -> None:
    with pytest.raises(Refused, match="Copy it again"):
        find_server({"the environment": {"DRIFTWARDEN_URL": "http://a:1", "DRIFTWARDEN_API_KEY": "dw_\x00ü"}})


def test_the_key_is_not_shown() -> None:
    server = find_server(
        {"the environment": {"DRIFTWARDEN_URL": "http://a:1", "DRIFTWARDEN_API_KEY": "dw_secret"}}
    )
    assert "dw_secret" not in repr(server)


def test_a_name_stays_one_segment_of_a_path() -> None:
    assert segment("../../metrics?x#y") == "..%2F..%2Fmetrics%3Fx%23y"
    with pytest.raises(Refused):
        segment("..")


def test_labels_are_keys_with_values() -> None:
    assert read_labels(["branch=main", "note=a=b", "empty="]) == {
        "branch": "main",
        "note": "a=b",
        "empty": "",
    }


@pytest.mark.parametrize("pairs", [["branch"], ["=main"], ["a=1", "a=2"]])
def test_a_label_that_says_nothing_or_twice_is_refused(pairs: list[str]) -> None:
    with pytest.raises(Refused, match="--label"):
        read_labels(pairs)


def test_the_commit_is_that_of_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert find_git_commit() is None
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run([*git, "init", "--quiet"], check=True)
    assert find_git_commit() is None
    subprocess.run([*git, "commit", "--quiet", "--allow-empty", "-m", "first"], check=True)
    commit = find_git_commit()
    assert commit is not None
    assert len(commit) == 40


def test_help_imports_no_service_and_no_client() -> None:
    program = (
        "import sys\n"
        "from services.cli.main import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'litellm', 'httpx', 'pydantic', 'asyncpg', 'fastapi'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    assert run.stderr.strip() == "[]"
    assert "driftwarden up" in run.stdout
