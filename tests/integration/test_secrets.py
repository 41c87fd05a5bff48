"""Secrets at rest, and the key that `driftwarden up` keeps for them."""

import stat
from pathlib import Path

import pytest
from pydantic import SecretStr

from services.standalone.instance import hold_folder
from shared.secrets import Unreadable, Vault


def test_what_was_sealed_is_read_with_the_same_key_alone() -> None:
    vault, other = Vault(SecretStr("one key")), Vault(SecretStr("another"))
    sealed = vault.seal("https://hooks.slack.com/services/secret")
    assert b"secret" not in sealed
    assert Vault(SecretStr("one key")).open(sealed) == "https://hooks.slack.com/services/secret"
    with pytest.raises(Unreadable):
        other.open(sealed)
    with pytest.raises(Unreadable):
        vault.open(b"not sealed at all")


def test_the_callback_secret_belongs_to_the_key() -> None:
    vault, other = Vault(SecretStr("one key")), Vault(SecretStr("another"))
    assert vault.callback_secret() == Vault(SecretStr("one key")).callback_secret()
    assert vault.callback_secret() != other.callback_secret()
    assert vault.callback_secret().startswith("whsec_")


def test_a_data_folder_keeps_one_key_for_its_owner_alone(tmp_path: Path) -> None:
    with hold_folder(tmp_path / "data") as instance:
        first, again = instance.keep_secret_key(), instance.keep_secret_key()
        mode = stat.S_IMODE((instance.folder / "secret_key").stat().st_mode)
    with hold_folder(tmp_path / "data") as instance:
        later = instance.keep_secret_key()
    assert first == again == later
    assert len(first) >= 43
    assert mode == 0o600
