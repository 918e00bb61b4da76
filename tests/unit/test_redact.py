"""What looks like a secret leaves the guard in no text; what does not is left as it is."""

import json
import re
import time
import traceback
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.redact import REDACTED, SHAPES, HandlerFailed, log_line, redacted, redacted_json, sealed

PLANT = "S3cr3t-Pl4nt.9"
LETTERS = "S3cr3tPl4nt9"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJib2IifQ.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    "text",
    [
        f"1 validation error detected: Value '{PLANT}' at 'secretString' failed",
        f"Value at '{PLANT}' failed to satisfy constraint",
        f'{{"SecretString": "{PLANT}"}}',
        f'{{\\"SecretString\\": \\"{PLANT}\\"}}',
        f"secretBinary={PLANT}&name=x",
        f"password: {PLANT}",
        f"AWS_SECRET_ACCESS_KEY={PLANT}",
        f"Authorization: Bearer {PLANT}",
        f"postgres://app:{PLANT}@db.example/orders",
        f"https://hooks.slack.com/services/T00000000/B00000000/{LETTERS}",
        f"xoxb-2222-3333-{PLANT}",
        f"my-app/1.0 ({JWT})",
        f"-----BEGIN RSA PRIVATE KEY-----\n{PLANT}\n-----END RSA PRIVATE KEY-----",
        f"-----BEGIN PRIVATE KEY-----\n{PLANT}",
    ],
)
def test_a_secret_is_replaced(text: str):
    clean = redacted(text)
    assert REDACTED in clean
    for word in (PLANT, LETTERS, "S3cr3t", JWT):
        assert word not in clean


@pytest.mark.parametrize(
    "text",
    [
        "arn:aws:secretsmanager:eu-west-1:111122223333:secret:prod/db-password-AbCdEf",
        "arn:aws:iam::111122223333:assumed-role/app/i-0123456789abcdef0",
        "User: arn:aws:iam::1:user/alice is not authorized to perform: ssm:GetParameter",
        "aws-cli/2.31.0 md/awscrt#0.27.6 ua/2.1 os/linux#6.8.0 md/arch#x86_64 lang/python#3.13.7",
        "https://eu-west-1.console.aws.amazon.com/secretsmanager/secret?name=prod%2Fdb&region=eu-west-1",
        "The secret's value is not known",
        "a" * 5000,
    ],
)
def test_what_is_no_secret_stays(text: str):
    assert redacted(text) == text


def test_it_is_found_at_any_depth_and_in_names():
    value = {"a": [{"b": f"password={PLANT}"}], f"token xoxp-12345678-{PLANT}": 1, "n": None}
    assert PLANT not in json.dumps(redacted_json(value))
    assert redacted_json({"n": None, "i": 3, "t": True}) == {"n": None, "i": 3, "t": True}


def test_a_log_line_is_json_whatever_is_logged():
    error = ValueError(f"password={PLANT}")
    line = log_line({"error": error, "when": object(), "deep": [(1, "x")]})
    assert PLANT not in line
    assert json.loads(line)["deep"] == [[1, "x"]]


@given(st.text())
def test_any_text_is_taken_and_a_second_time_changes_nothing(text: str):
    once = redacted(text)
    assert redacted(once) == once


@pytest.mark.parametrize("shape", SHAPES.values())
@given(data=st.data())
def test_no_shape_is_overlooked_for_want_of_its_words(shape: str, data: st.DataObject):
    flags = re.VERBOSE | re.IGNORECASE | re.DOTALL | re.ASCII
    assert REDACTED in redacted(data.draw(st.from_regex(re.compile(shape, flags))))


@pytest.mark.parametrize(
    "piece",
    ["-eyJaaaaaaaa", "password ", " ", "password='", "://a:", "value '", "/services/a", "a@b:",
     "-----BEGIN PRIVATE KEY-----", "xoxb-a ", "bearer\\\"\t", "a-", "eyJ."],
)  # fmt: skip
def test_no_text_that_a_caller_can_send_takes_long(piece: str):
    for text in (piece * (256_000 // len(piece)), f"password{piece * 250_000}"[:256_000]):
        started = time.process_time()
        redacted(text)
        assert time.process_time() - started < 2


def test_what_a_handler_raises_holds_no_secret():
    @sealed
    def handler(event: str) -> str:
        if event:
            raise LookupError(event)
        return "done"

    assert handler("") == "done"
    with pytest.raises(LookupError, match="nothing there"):
        handler("nothing there")
    with pytest.raises(HandlerFailed, match="LookupError") as caught:
        handler(f"password={PLANT}")
    assert PLANT not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("path", sorted(Path("functions").glob("*.py")), ids=lambda path: path.stem)
def test_every_function_logs_and_fails_redacted(path: Path):
    text = path.read_text()
    assert "logger = Logger(json_serializer=log_line)" in text, "use guard.redact.log_line"
    handler = text.split("def handler(")[0].rsplit("\n\n\n", 1)[1]
    assert handler.startswith("@sealed\n"), "the outermost decorator is guard.redact.sealed"
