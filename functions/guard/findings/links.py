"""Console deep links to what a finding is about, for every partition whose console is known.

AWS does not document the console's addresses; these are the ones the console itself shows. Text
from a record only ever lands in them percent-encoded, and never in the host.
"""

import re
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import quote

from guard.partitions import CONSOLES, partition_of
from guard.settings import RUNBOOKS

_REGION = re.compile(r"[a-z]{2,}(-[a-z]+)+-\d+")
_SECRET_ARN = re.compile(
    r"arn:[^:]+:secretsmanager:[^:]*:[^:]*:secret:(?P<name>.+?)(-[A-Za-z0-9]{6})?"
)


def console_links(
    partition: str,
    region: str,
    *,
    vpc: str | None = None,
    endpoint: str | None = None,
    secret: str | None = None,
    event: str | None = None,
    function: str | None = None,
    alarm: str | None = None,
) -> dict[str, str]:
    """Links by label for what is given.

    That is: the id of a VPC, of an endpoint, of a CloudTrail event; the name or ARN of a secret;
    the name of a function or an alarm.

    Empty for a partition whose console is not known, or for what is not a Region: no link at all is
    better than one that opens somewhere else.
    """
    if partition not in CONSOLES or not _REGION.fullmatch(region):
        return {}
    pages = {
        "VPC": ("vpcconsole/home?region={region}#VpcDetails:VpcId={id}", vpc),
        "Endpoint": (
            "vpcconsole/home?region={region}#EndpointDetails:vpcEndpointId={id}",
            endpoint,
        ),
        "Secret": (
            "secretsmanager/secret?name={id}&region={region}",
            secret and _secret_name(secret),
        ),
        "CloudTrail event": ("cloudtrailv2/home?region={region}#/events/{id}", event),
        "Function": ("lambda/home?region={region}#/functions/{id}", function),
        "Alarm": ("cloudwatch/home?region={region}#alarmsV2:alarm/{id}", alarm),
    }
    root = f"https://{region}.{CONSOLES[partition]}/"
    return {
        label: root + page.format(region=region, id=quote(id_, safe=""))
        for label, (page, id_) in pages.items()
        if id_
    }


def evident_links(
    region: str, resource: str, evidence: Mapping[str, Any], partition: str = ""
) -> dict[str, str]:
    """Links to what a finding of this very account is about, from the ids that it names anyway.

    The partition is the Region's, by the Region's name, where it is not given.
    """
    about = [resource, *(evidence.get(key) for key in ("vpc_id", "endpoint_id", "secret_id"))]
    events = evidence.get("event_ids")
    function = evidence.get("rotation_function")
    return console_links(
        partition or partition_of(region),
        region,
        vpc=_first_beginning("vpc-", about),
        endpoint=_first_beginning("vpce-", about),
        secret=next(
            (one for one in about if isinstance(one, str) and _SECRET_ARN.match(one)), None
        ),
        event=str(cast(list[object], events)[0]) if isinstance(events, list) and events else None,
        function=function.rsplit(":", 1)[-1] if isinstance(function, str) else None,
    )


def _first_beginning(prefix: str, values: list[Any]) -> str | None:
    return next((one for one in values if isinstance(one, str) and one.startswith(prefix)), None)


def runbook_link(kind: str, base: str = RUNBOOKS) -> str:
    """The runbook of a finding's kind, in the folder or at the address `base`."""
    return f"{base.rstrip('/')}/{kind}.md"


def _secret_name(name_or_arn: str) -> str:
    """The console wants the name, which is an ARN's last part without its six random characters."""
    arn = _SECRET_ARN.fullmatch(name_or_arn)
    return arn["name"] if arn else name_or_arn
