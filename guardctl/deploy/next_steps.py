"""What is to be done after a deployment, with the values that it has. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

YOU = "YOU@EXAMPLE.COM"


@dataclass(frozen=True, slots=True)
class After:
    """The deployed stack: `heard` says of each topic's output whether somebody has confirmed."""

    outputs: Mapping[str, str]
    parameters: Mapping[str, str]
    heard: Mapping[str, bool]
    mode: str
    region: str
    profile: str = ""


def next_steps(after: After) -> list[str]:
    """Three steps: subscribe to the alerts, read observe mode's reports, let the guard write."""
    return [_hear(after), _read(after), _write(after)]


def _hear(after: After) -> str:
    silent = [name for name, heard in after.heard.items() if not heard]
    if not silent:
        return "Alerts: both topics have confirmed subscribers. Nothing is to be done."
    if mail := after.parameters.get("AlertEmail"):
        return (
            f"Alerts: confirm the subscriptions. AWS has sent {mail} a mail for each topic; until"
            " its link is followed, nothing is sent there."
        )
    return "\n".join(
        [
            "Alerts: subscribe whoever is to be alerted, and confirm by the link in AWS's mail.",
            *(
                f"  aws sns subscribe{_where(after)} --topic-arn {after.outputs[name]}"
                f" --protocol email --notification-endpoint {YOU}"
                for name in silent
            ),
        ]
    )


def _read(after: After) -> str:
    command = f".venv/bin/guardctl audit{_where(after)}"
    first = (
        "Read what it would do: it only reports, and writes nothing yet."
        if after.mode == "observe"
        else "Read what it does: it is in remediate mode, so it already writes."
    )
    return f"{first}\n  {command}"


def _write(after: After) -> str:
    name = after.outputs["ModeParameterName"]
    to, why = (
        ("remediate", "After a day of findings that you agree with, let it write")
        if after.mode == "observe"
        else ("observe", "To stop all its writes")
    )
    return (
        f"{why}; this holds within a minute, without a deployment.\n"
        f"  aws ssm put-parameter{_where(after)} --name {name} --overwrite --value {to}"
    )


def _where(after: After) -> str:
    return f" --region {after.region}" + (f" --profile {after.profile}" if after.profile else "")
