"""What `guardctl twin` prints."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from detect_bypass.judge.spelling import name_of_secret
from guardctl import validation
from guardctl.formats import Format, print_json, print_rows
from guardctl.screen import printable, say
from guardctl.twin.flows import Flows
from guardctl.twin.proposal import Proofs
from guardctl.validation import ERROR, NotAsked, Said

LONG_ENOUGH = 90  # days: what runs once a quarter is in them


def print_flows(rows: Sequence[Mapping[str, Any]], form: Format) -> None:
    """One line for each; for people who asks for what, and what is to be done."""
    if form is not Format.TABLE:
        print_json(rows, form)
        return
    texts = [
        {
            "requests": f"{row['requests']:,}",
            "who": f"{printable(_who(row))}\n{printable(_what(row))}",
            "why": f"{printable(row.get('outcome') or row['why'])}\n{printable(row['todo'] or '')}",
        }
        for row in rows
    ]
    print_rows(
        texts,
        form,
        ("requests", "who", "why"),
        *("Requests", "Who asks for what", "Why, and what decides it"),
    )


def _who(row: Mapping[str, Any]) -> str:
    return f"{row['principal']} by {row['way']}"


def _what(row: Mapping[str, Any]) -> str:
    return f"{row['action']} {name_of_secret(row['secret'] or '')}".strip()


def say_read(flows: Flows) -> None:
    """What was read, and what was left out."""
    say(
        f"{flows.requests:,} requests within {flows.days:,} days, {len(flows.rows):,} flows",
        err=True,
    )
    if left := ", ".join(f"{count:,} {why}" for why, count in flows.left_out.most_common()):
        say(f"Left out: {left}", err=True)
    if flows.days < LONG_ENOUGH:
        say(f"{LONG_ENOUGH} days or more show what runs once a quarter", err=True)


def say_proofs(found: Proofs) -> None:
    """Both proofs, in a line each; then what is not right."""
    say(found.logged.words, err=True)
    for name, one in found.exhausted.items():
        say(f"{name}: of all {one.contexts:,} contexts {one.count:,} are decided wrongly", err=True)
        for wrong in one.wrong:
            request = ", ".join(
                f"{key} {value or 'absent'}" for key, value in wrong.context.items()
            )
            say(printable(f"  {wrong.found} and not {wrong.expected}: {request}"), err=True)


def say_what_aws_says(
    policies: Iterable[tuple[str, str]], kind: str, profile: str | None, region: str | None
) -> bool:
    """What AWS says of policies by name and text; returns whether it finds an error."""
    try:
        client = validation.analyzer(profile, region)
        found = [
            (name, one)
            for name, text in policies
            for one in validation.validate(client, text, kind)
        ]
    except NotAsked as error:
        say(f"AWS was not asked to validate: {printable(str(error))}", err=True)
        return False
    for name, one in found:
        say(f"AWS on {name}: {in_words(one)}", err=True)
    if not found:
        say("AWS validates: it has nothing against it", err=True)
    return any(one.level == ERROR for _, one in found)


def in_words(one: Said) -> str:
    """What AWS says, in a line."""
    return printable(f"{one.level} {one.code} at {one.place}: {one.text}")
