"""Delete what is ours: the only part of the core that takes anything away.

Who calls it has just read the tags (`withdrawal.decide`); the role allows it for nothing
without this stack's tags either. What is gone already counts as deleted.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from ensure_endpoint.withdrawal.decide import Leave, Removal
from guard.aws.errors import code_of, message_of, readable, refused

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

GONE = frozenset({"InvalidVpcEndpointId.NotFound", "InvalidVpcEndpoint.NotFound"})
HELD = frozenset({"DependencyViolation", "InvalidGroup.InUse"})


@dataclass(frozen=True, slots=True)
class Removed:
    """The steps done in order, and AWS's words if it refused the next one.

    `failed`: the next one was throttled, or AWS or the way to it failed.
    """

    done: tuple[str, ...]
    refused: str = ""
    failed: ClientError | BotoCoreError | None = None


@dataclass(frozen=True, slots=True)
class Remover:
    """Carries removals out with one EC2 client."""

    ec2: "EC2Client"

    def apply(self, removal: Removal) -> Removed:
        """Leave subnets, delete endpoints and groups, up to what AWS refuses or what fails.

        A group that something still holds is left for a later attempt.
        """
        done: list[str] = []
        try:
            for leave in removal.leaves:
                self._leave(leave)
                done.extend(leave.steps)
            for id_ in removal.endpoint_ids:
                self._delete_endpoint(id_)
                done.append(f"delete our endpoint {id_}")
            gone = filter(self._delete_group, removal.group_ids)
            done.extend(f"delete our security group {id_}" for id_ in gone)
        except ClientError as error:
            if not refused(error):
                return Removed(tuple(done), failed=error)
            return Removed(tuple(done), f"{code_of(error)}: {readable(message_of(error))}")
        except BotoCoreError as error:
            return Removed(tuple(done), failed=error)
        return Removed(tuple(done))

    def _leave(self, leave: Leave) -> None:
        added: Any = {"AddSubnetIds": list(leave.instead)} if leave.instead else {}
        self.ec2.modify_vpc_endpoint(
            VpcEndpointId=leave.endpoint_id, RemoveSubnetIds=list(leave.subnet_ids), **added
        )

    def _delete_endpoint(self, endpoint_id: str) -> None:
        """One at a time: of several, AWS may delete some and answer with success all the same."""
        answer = self.ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint_id])
        for failure in answer.get("Unsuccessful", []):
            error: Any = failure.get("Error", {})
            if error.get("Code") not in GONE:
                raise ClientError({"Error": error}, "DeleteVpcEndpoints")

    def _delete_group(self, group_id: str) -> bool:
        """False if a network interface, or somebody's rule, still holds it."""
        try:
            self.ec2.delete_security_group(GroupId=group_id)
        except ClientError as error:
            if code_of(error) in HELD:
                return False
            if code_of(error) != "InvalidGroup.NotFound":
                raise
        return True
