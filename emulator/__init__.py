"""The embedded cloud: moto made to behave like AWS, with CloudTrail, EventBridge, Lambda on top."""

from emulator.callers import Caller
from emulator.cloud import Cloud
from emulator.delivery import Happening, NotQuiescent
from emulator.deploy import DeploymentFailed
from emulator.runtime import Invocation
from emulator.server import Call, EmulatorBug

__all__ = [
    "Call",
    "Caller",
    "Cloud",
    "DeploymentFailed",
    "EmulatorBug",
    "Happening",
    "Invocation",
    "NotQuiescent",
]
