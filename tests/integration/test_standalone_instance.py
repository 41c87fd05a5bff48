"""A data folder belongs to one running instance, and a port too; what is in the folder stays."""

import json
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from services.standalone.errors import CannotStart
from services.standalone.instance import Client, hold_folder, reserve_port

HOLDER = """
import sys
from pathlib import Path
from services.standalone.instance import hold_folder

with hold_folder(Path(sys.argv[1])) as instance:
    instance.publish_address("http://127.0.0.1:8700")
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_up_is_refused_and_told_where_the_first_one_is(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        expected = rf"already runs on {folder} \(pid {holder.pid}, http://127.0.0.1:8700\)\. Stop it first"
        with pytest.raises(CannotStart, match=expected), hold_folder(folder):
            pytest.fail("it was held twice")
        holder.kill()
    with hold_folder(folder):
        pass


def test_a_folder_reached_by_another_name_is_the_same_folder(tmp_path: Path) -> None:
    (tmp_path / "alias").symlink_to(tmp_path / "data")
    with (
        hold_folder(tmp_path / "data"),
        pytest.raises(CannotStart, match="already runs"),
        hold_folder(tmp_path / "alias"),
    ):
        pytest.fail("it was held twice")


def test_a_relative_folder_lies_in_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with hold_folder(Path(".driftwarden")) as instance:
        assert instance.folder == tmp_path / ".driftwarden"


def test_what_is_in_the_folder_stays(tmp_path: Path) -> None:
    (tmp_path / "models.yaml").write_text("model_list: []\n")
    with hold_folder(tmp_path):
        (tmp_path / "postgres").mkdir()
        (tmp_path / "postgres" / "base").write_text("rows")
    with hold_folder(tmp_path):
        pass
    assert (tmp_path / "models.yaml").read_text() == "model_list: []\n"
    assert (tmp_path / "postgres" / "base").read_text() == "rows"


def test_a_folder_with_other_things_in_it_is_refused_untouched(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(CannotStart, match=r"holds other things \(holiday\.jpg\)"), hold_folder(tmp_path):
        pytest.fail("it was taken over")
    assert [entry.name for entry in tmp_path.iterdir()] == ["holiday.jpg"]


def test_a_folder_of_a_newer_driftwarden_is_refused(tmp_path: Path) -> None:
    with hold_folder(tmp_path):
        pass
    (tmp_path / "format").write_text("2\n")
    with (
        pytest.raises(CannotStart, match="has format '2', and this Driftwarden knows format 1"),
        hold_folder(tmp_path),
    ):
        pytest.fail("it was taken over")


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CannotStart, match="cannot be used as data folder: File exists"):
        hold_folder(tmp_path / "file").__enter__()


def test_git_leaves_the_data_folder_alone(tmp_path: Path) -> None:
    with hold_folder(tmp_path):
        assert (tmp_path / ".gitignore").read_text() == "*\n"


def test_the_clients_key_is_for_the_owners_eyes(tmp_path: Path) -> None:
    previous_mask = os.umask(0)
    try:
        with hold_folder(tmp_path) as instance:
            assert instance.read_client() is None
            instance.write_client(Client("http://127.0.0.1:8700", "dw_secret"))
            assert instance.read_client() == Client("http://127.0.0.1:8700", "dw_secret")
    finally:
        os.umask(previous_mask)
    stored = tmp_path / "client.json"
    assert json.loads(stored.read_text()) == {"url": "http://127.0.0.1:8700", "api_key": "dw_secret"}
    assert stat.S_IMODE(stored.stat().st_mode) == 0o600


@pytest.mark.parametrize("content", ["", "{", "[]", '{"url": "http://127.0.0.1:1"}', "null"])
def test_a_damaged_client_file_counts_as_none(tmp_path: Path, content: str) -> None:
    with hold_folder(tmp_path) as instance:
        (tmp_path / "client.json").write_text(content)
        assert instance.read_client() is None


def test_two_instances_never_choose_the_same_port() -> None:
    with (
        reserve_port("127.0.0.1", 0, required=False) as first,
        reserve_port("127.0.0.1", first, required=False) as second,
    ):
        assert second != first
        with (
            pytest.raises(CannotStart, match=f"Port {first} on 127.0.0.1 is taken"),
            reserve_port("127.0.0.1", first, required=True),
        ):
            pytest.fail("it was reserved twice")


def test_a_port_that_another_program_listens_on_is_passed_over() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        taken = listener.getsockname()[1]
        with reserve_port("127.0.0.1", taken, required=False) as port:
            assert port != taken


def test_a_reserved_port_is_there_for_the_child_to_bind() -> None:
    with reserve_port("127.0.0.1", 0, required=False) as port, socket.create_server(("127.0.0.1", port)):
        pass
