"""What functions write goes to their log groups, so that whoever reads logs finds it there.

moto has log groups; that Lambda writes to them is this module.
"""

from datetime import datetime

from moto.logs.models import logs_backends

from emulator.deploy import Deployment
from emulator.runtime import Invocation


def write(deployment: Deployment, invocation: Invocation, now: datetime) -> None:
    """The lines of one run, into the group that the function's LoggingConfig names."""
    properties = deployment.of_type("AWS::Lambda::Function")[invocation.function]
    group = properties.get("LoggingConfig", {}).get("LogGroup")
    backend = logs_backends[deployment.account][deployment.region]
    if not invocation.output or group not in backend.groups:
        return
    stream = f"{invocation.function}/[$LATEST]"
    if stream not in backend.groups[group].streams:
        backend.create_log_stream(group, stream)
    when = int(now.timestamp() * 1000)
    events = [{"timestamp": when, "message": line} for line in invocation.output]
    backend.put_log_events(group, stream, events)
