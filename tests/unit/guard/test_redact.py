"""What resembles a secret leaves the guard in no text; what does not is left as it is."""

import json
import time
import traceback
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.redact import (
    REDACTED,
    SHAPES,
    HandlerFailed,
    _redacted,  # pyright: ignore[reportPrivateUsage] - each text by itself, the slow way
    compiled,
    log_line,
    redact_errors,
    redacted,
    redacted_json,
)

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


# Parts of secrets that are no unbroken words; none may be left. KEY is the one of AWS's examples.
KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
PARTS = ("Hunter2", "correct", "horse", "battery", "staple", "12345", "plant", "dear", KEY)
INNER = json.dumps({"user": "dear", "pin": "12345"})
DEEP = json.dumps({"SecretString": INNER})
DEEPER = json.dumps({"body": DEEP})
AT = "at 'secretString' failed to satisfy constraint"
LESS = "Member must have length less than or equal to 65536"


@pytest.mark.parametrize(
    "text",
    [
        f"1 validation error detected: Value 'it's-Hunter2-plant' {AT}: {LESS}",
        f"1 validation error detected: Value 'my dear' at 'noon' {AT}: {LESS}",
        f"2 validation errors detected: Value 'Hunter2' {AT}: {LESS}; Value 'plant's' {AT}: {LESS}",
        f"1 validation error detected: Value '{INNER}' {AT}: {LESS}",
        "1 validation error detected: Value 'correct horse battery",
        f"2 validation errors detected: Value '' {AT}: {LESS}; Value 'correct horse",
        "Invalid value 'x'; 1 validation error detected: Value 'Hunter2",
        "Value at 'it's-Hunter2' failed to satisfy constraint",
        'SecretString: "correct horse battery staple"',
        "SecretString='correct horse battery staple'",
        "SecretString='it's-Hunter2-plant', SecretId='prod/db'",
        'SecretString="it\\"s Hunter2 plant", SecretId="prod/db"',
        'password: "correct horse battery',
        f"SecretString: {INNER}",
        "{'SecretString': {'user': 'dear', 'pin': {'deep': 12345}}}",
        f"{{'SecretString': '{INNER}'}}",
        DEEP,
        DEEPER,
        json.dumps({"message": DEEPER}),
        json.dumps({"body": json.dumps({"password": 'a "dear" plant\\', "next": "x"})}),
        r"{\\\"password\\\": \\\"correct horse\\\"}",
        "password: 'correct \"horse\" battery'",
        "password=it's-Hunter2",
        "password=Hunter2,plant;dear",
        r"password=Hunter2\plant",
        'password=Hunter2"plant',
        "{password=Hunter2}, done",
        "password => Hunter2",
        "password := Hunter2",
        "password2=Hunter2",
        "PASSWORD%3DHunter2",
        "--password correct",
        "--master-user-password 'correct horse'",
        f"aws secretsmanager put-secret-value --secret-string '{INNER}'",
        "--secret-string correct",
        "password Hunter2",
        "password 'correct horse'",
        "GET /?X-Amz-Security-Token=Hunter2%2Fplant&X-Amz-Date=20260601T000000Z",
        "x-amz-security-token: Hunter2",
        "api-key=Hunter2",
        "x-api-key: Hunter2",
        "API key: Hunter2",
        "access-token: Hunter2",
        "session-token=Hunter2",
        "aws_session_token = Hunter2",
        "refresh_token=Hunter2",
        "vault-token: plant",
        "client-secret: Hunter2",
        f"secret key: {KEY}",
        f"AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE {KEY}",
        f"AKIAIOSFODNN7EXAMPLE:{KEY}",
        f"access key (ASIAIOSFODNN7EXAMPLE, '{KEY}')",
        f"IQoJb3JpZ2luX2VjE{'plant' * 20}",
        "Authorization: Basic ZGVhcjpIdW50ZXIyplant",
        "Authorization: plant",
        "authorization=Bearer Hunter2",
        "Bearer plant1.Hunter2",
        f"X-Amz-Signature={'12345abc' * 8}&x",
        "redis://:Hunter2@cache.example:6379",
        "postgres://app:Hunter2@plant@db.example/orders",
        "https://hooks.slack.com/workflows/T0PLANT/A0/123/Hunter2",
        "https://hooks.slack.com/triggers/T0PLANT/123/Hunter2",
        r"https:\/\/hooks.slack.com\/services\/T0\/B0\/Hunter2",
        "https%3A%2F%2Fhooks.slack.com%2Fservices%2FT0%2FB0%2FHunter2",
        "https://hooks.slack-gov.com/workflows/T0/A0/123/Hunter2",
        "Max retries exceeded with url: /workflows/T0PLANT/A0/123/Hunter2 (Caused by ...)",
        "Max retries exceeded with url: /triggers/T0PLANT/123/Hunter2 (Caused by ...)",
        "github_pat_11ABCDEFG0123456789_Hunter2plant",
        "-----BEGIN PGP PRIVATE KEY BLOCK-----\nplant\n-----END PGP PRIVATE KEY BLOCK-----",
        "arn:aws:sts::111122223333:assumed-role/app/s password=Hunter2",
        "arn:aws:secretsmanager:eu-west-1:111122223333:secret:password=Hunter2",
        "arn:aws:secretsmanager:eu-west-1:111122223333:secret:db-password password=Hunter2",
    ],
)
def test_no_part_of_a_secret_is_left(text: str):
    clean = redacted(text)
    assert REDACTED in clean
    assert not [part for part in PARTS if part in clean]
    assert redacted(clean) == clean


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        (f"detected: Value 'a b' {AT}; {LESS}", f"detected: Value '[redacted]' {AT}; {LESS}"),
        ('{"password": "a b", "user": "x"}', '{"password": "[redacted]", "user": "x"}'),
        ("'password=abc', 'user=bob'", "'password=[redacted]', 'user=bob'"),
        ("(password=abc).", "(password=[redacted])."),
        ("a?api-key=abc&b=c", "a?api-key=[redacted]&b=c"),
        ('{"m":"password=abc","x":1}', '{"m":"password=[redacted]","x":1}'),
        (
            json.dumps({"body": json.dumps({"password": 'a"b\\', "user": "x"})}),
            json.dumps({"body": json.dumps({"password": REDACTED, "user": "x"})}),
        ),
        ("redis://app:a@b@host/1", "redis://[redacted]@host/1"),
    ],
)
def test_what_stands_around_a_secret_stays(text: str, clean: str):
    assert redacted(text) == clean


@pytest.mark.parametrize(
    "text",
    [
        "arn:aws:secretsmanager:eu-west-1:111122223333:secret:prod/db-password-AbCdEf",
        "arn:aws:iam::111122223333:assumed-role/app/i-0123456789abcdef0",
        "User: arn:aws:iam::1:user/alice is not authorized to perform: ssm:GetParameter",
        "aws-cli/2.31.0 md/awscrt#0.27.6 ua/2.1 os/linux#6.8.0 md/arch#x86_64 lang/python#3.13.7",
        "https://eu-west-1.console.aws.amazon.com/secretsmanager/secret?name=prod%2Fdb&region=eu-west-1",
        "The secret's value is not known",
        "arn:aws:secretsmanager:eu-west-1:111122223333:secret:prod/password:username::",
        "arn:aws:secretsmanager:eu-west-1:111122223333:secret:db-password:password:AWSPREVIOUS:",
        "the password arn:aws:secretsmanager:eu-west-1:111122223333:secret:db-AbCdEf of db",
        "arn:aws:iam::111122223333:role/password-rotation",
        "passwordless: true, passwords: 3, password_policy=strict, passwordReset=never",
        "password authentication failed for user 'app'",
        "Member 'password' is required, and 'api-key' as well",
        "GetRandomPassword, secretsmanager:GetRandomPassword",
        "bearer of tidings: none, the bearer, a bearer token is missing",
        "the access token expired; the session token is not valid",
        "AccessKeyId=AKIAIOSFODNN7EXAMPLE",
        "AKIAIOSFODNN7EXAMPLE used on 0123456789abcdef0123456789abcdef01234567",
        "commit 0123456789abcdef0123456789abcdef01234567",
        "arn:aws:iam::1:user/alice is not authorized to perform: secretsmanager:PutSecretValue",
        "Invalid value 'vpc-1' for VpcId; the value 'vpc-2' at 'VpcId' is fine",
        "nextToken=abc, clientRequestToken: 0b5e9d44-0000-4000-8000-000000000000",
        "https://github.com/o/r/actions/workflows/ci.yml/badge.svg and /triggers/daily/run/1",
        "https://eu-west-1.console.aws.amazon.com/secretsmanager/secret?name=prod%2Fpassword&region=eu-west-1",
        "https://eu-west-1.console.aws.amazon.com/cloudtrailv2/home?region=eu-west-1#/events/api-key",
        "https://db.example:5432/orders@x",
        'password: ""',
        "a" * 5000,
    ],
)
def test_what_is_no_secret_stays(text: str):
    assert redacted(text) == text


def test_it_is_found_at_any_depth_and_in_names():
    value = {"a": [{"b": f"password={PLANT}"}], f"token xoxp-12345678-{PLANT}": 1, "n": None}
    assert PLANT not in json.dumps(redacted_json(value))
    assert redacted_json({"n": None, "i": 3, "t": True}) == {"n": None, "i": 3, "t": True}


def test_a_member_is_reported_by_its_name_too():
    value = {
        "SecretString": "correct",
        "x-api-key": ["horse"],
        "password": {"a": "staple"},
        "passwd": 12345,
    }
    assert set(redacted_json(value).values()) == {REDACTED}
    near = {"passwordless": "yes", "password": None, "accessToken": 0, "db-password-AbCdEf": "x"}
    assert redacted_json(near) == near


PIECES = st.sampled_from(
    [
        "pass",
        "word",
        "token",
        "=",
        ": ",
        "xoxb-1234567890",
        PLANT,
        "AKIA",
        "@",
        "'",
        " value '",
        "a",
    ]
)
TEXTS = st.lists(PIECES, max_size=4).map("".join)
VALUES = st.recursive(
    st.none() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


@given(VALUES)
def test_all_texts_at_once_show_what_each_by_itself_does(value: object):
    assert redacted_json(value) == _redacted(value)


def test_the_shortest_secret_of_letters_and_digits_alone_is_found():
    """A session's token, as short as its shape goes: no longer word is passed over unasked."""
    token = "IQoJb3JpZ2lu" + "A" * 16
    assert redacted_json({"a": token}) == {"a": REDACTED}
    assert redacted_json([f"Bearer {'a1' * 6}"]) == [f"Bearer {REDACTED}"]


@given(st.text("SecretTokn0189ASIAeyJghpxoapiBr", max_size=24))
def test_a_short_word_is_of_no_shape(word: str):
    """So an access key's id does not make every finding suspect."""
    assert all(compiled(shape).sub("", word) == word for shape in SHAPES.values())


def test_a_log_line_is_json_whatever_is_logged():
    error = ValueError(f"password={PLANT}")
    line = log_line({"error": error, "when": object(), "deep": [(1, "x")]})
    assert PLANT not in line
    assert json.loads(line)["deep"] == [[1, "x"]]


@given(st.text())
def test_any_text_is_taken_and_a_second_time_changes_nothing(text: str):
    once = redacted(text)
    assert redacted(once) == once


PIECES = (
    *("password", "api-key", "bearer", "value", "at", "detected:", "failed", "arn:aws:a:b:1:c"),
    *(
        "=",
        ": ",
        " ",
        "'",
        '"',
        '\\"',
        "\\\\",
        "{",
        "}",
        "[",
        "]",
        ",",
        ".",
        "&",
        "a1b2c3",
        "x",
        "--",
    ),
    *("https://", "a:b@", "hooks.slack.com", "/services/", "a/b", "xoxb-12345678", "[redacted]"),
)


@given(st.lists(st.sampled_from(PIECES), max_size=14).map("".join))
def test_a_second_time_changes_nothing_near_secrets_either(text: str):
    once = redacted(text)
    assert redacted(once) == once


@pytest.mark.parametrize("shape", SHAPES.values())
@given(data=st.data())
def test_no_shape_is_overlooked_for_want_of_its_words(shape: str, data: st.DataObject):
    """Where nothing is replaced, no hint was found or the shape found what is no secret."""
    text = data.draw(st.from_regex(compiled(shape)))
    if redacted(text) == text:
        groups = [found.groupdict() for found in compiled(shape).finditer(text)]
        kept = {found["secret"] or found.get("cut") or REDACTED for found in groups}
        assert kept <= {REDACTED}


LONG = [
    *("-eyJaaaaaaaa", "password ", " ", "password='", "://a:", "value '", "/services/a", "a@b:"),
    *(
        "-----BEGIN PRIVATE KEY-----",
        "xoxb-a ",
        'bearer\\"\t',
        "a-",
        "eyJ.",
        "value at '",
        "' at 'a",
    ),
    *("satisfy constraint:", "detected: value ", "value 'a' at 'b' failed", "arn:aws::::"),
    *("arn:aws:a", "--a-", "--a-a-a-password", "password ''", 'password="', "password=\\", '\\"'),
    *("\\", '"', "'a", "password={", "}", "password=,", ",'", "password:  ", "IQoJb3JpZ2lu", "d"),
    *("AKIAAAAAAAAAAAAAAAAA ", "hooks.slack.com/services/", "hooks.slack", "/workflows/T0/a"),
    *("/triggers/T0/a/", "signature=", "secret ", "api-key", "%3D", "bearer bearer "),
    'password=\\"\\\\',
]
STARTS = ("password", 'password="', 'api-key=\\\\\\"', "password={", "detected: value '", "value '")


@pytest.mark.parametrize("piece", LONG)
def test_no_text_that_a_caller_can_send_takes_long(piece: str):
    whole = piece * (256_000 // len(piece))
    for text in (whole, *(f"{start}{whole}"[:100_000] for start in STARTS)):
        started = time.process_time()
        redacted(text)
        assert time.process_time() - started < 2


def test_what_a_handler_raises_holds_no_secret():
    @redact_errors
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


@pytest.mark.parametrize("path", sorted(Path("functions").glob("*/app.py")), ids=str)
def test_every_function_logs_and_fails_redacted(path: Path):
    text = path.read_text()
    assert "Logger(json_serializer=log_line)" in text, "use guard.redact.log_line"
    handler = text.split("def handler(")[0].rsplit("\n\n\n", 1)[1]
    assert handler.startswith("@redact_errors\n"), (
        "the outermost decorator is guard.redact.redact_errors"
    )


WHO = (
    "arn:aws:sts::111122223333:assumed-role/app/password=x",
    "arn:aws-cn:sts::111122223333:assumed-role/app/SecretString=abc,token=1",
    "arn:aws:iam::111122223333:user/team/api-key=me",
    "assumed-role/app/password=x",
    "user/token=x@example.com",
)


@pytest.mark.parametrize("who", WHO)
def test_who_acted_is_never_hidden(who: str) -> None:
    """IAM takes `=` in the names of sessions and users, which their owners choose."""
    for text in (who, f"{who} called StopLogging", f"Blocked: {who}: refused", f"({who})"):
        assert redacted(text) == text


def test_a_session_is_published_as_it_is_spelled() -> None:
    assert redacted_json({"session": "password=x"}) == {"session": "password=x"}
    token = "ghp_" + "a" * 30
    assert redacted_json({"session": token}) == {"session": REDACTED}
    no_name = redacted_json({"session": "the password=x"})
    assert no_name == {"session": f"the password={REDACTED}"}
    assert redacted_json({"note": "password=x"}) == {"note": f"password={REDACTED}"}
