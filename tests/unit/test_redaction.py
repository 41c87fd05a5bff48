"""What looks like a secret does not get into logs."""

import pytest

from shared.redaction import REDACTED, redact

SECRETS = [
    "dw_" + "aB3_-" * 8,
    "sk-proj-" + "aB3_-" * 6,
    "sk-ant-api03-" + "x" * 30,
    "whsec_" + "aB3+/" * 6 + "==",
    "ghp_" + "a1" * 18,
    "xoxb-" + "1234567890-" * 3,
    "AIza" + "b2" * 18,
    "gsk_" + "c3" * 20,
]


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("line", ["{}", "key={} rest", '{{"detail": "{}"}}', "wrong key: {}.", "({})"])
def test_keys_are_known_by_how_they_begin(secret: str, line: str) -> None:
    told = redact(line.format(secret))

    assert secret[8:] not in told
    assert REDACTED in told


def test_passwords_in_addresses_and_bearer_tokens_are_taken_out() -> None:
    told = redact('postgresql://ada:hush-hush@db:5432/x {"Authorization": "Bearer some-other-token"}')

    assert told == f'postgresql://{REDACTED}@db:5432/x {{"Authorization": "Bearer {REDACTED}"}}'


def test_a_slack_webhook_is_a_secret_too() -> None:
    told = redact("https://hooks.slack.com/services/T000/B000/XXXX failed")

    assert told == f"https://hooks.slack.com/services/{REDACTED} failed"


def test_secrets_that_are_known_are_taken_out_whatever_they_look_like() -> None:
    assert redact("the key 0123456789 is wrong", ["0123456789"]) == f"the key {REDACTED} is wrong"


def test_a_word_is_no_secret() -> None:
    line = (
        "none of the models of task-force answered; risk-adjusted; run 3b6d4ed8-334e-4d5e-b11a-fcb446f87c12"
    )

    assert redact(line, ["none"]) == line
