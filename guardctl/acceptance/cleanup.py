"""Remove what runs have made, in the order that AWS demands, until nothing is found any more.

The guard works against it: it makes a deleted endpoint anew. So each VPC gets the opt-out tag
first. Lambda takes back a deleted function's network interfaces by the function's role, within some
forty minutes: so the role goes last, and the clean-up waits.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from guard.aws.denials import is_denial
from guard.aws.errors import code_of
from guard.settings import OPT_OUT_TAG
from guardctl.acceptance.estimate import LONGEST_CLEAN_UP
from guardctl.acceptance.leftovers import Thing, inside, leftovers
from guardctl.acceptance.polling import FIRST_PAUSE, LONGEST_PAUSE, absent
from guardctl.acceptance.stage import Stage
from guardctl.acceptance.words import words_of

ROUNDS_OF_NOTHING = 2  # what was made last may take AWS a moment to show


@dataclass(frozen=True, slots=True)
class Problem:
    """Why something could not be removed. `denied`: no later round will do it either."""

    words: str
    denied: bool = False


type Report = Callable[[float, Iterable[Thing]], None]
"""Called with the seconds that passed and of what is still there, round by round."""


@dataclass(slots=True)
class CleanUp:
    """One clean-up. `problems` are AWS's words on what could not be removed, by the thing's name.

    `run`: only what this run made, or "" for every run.
    """

    stage: Stage
    run: str = ""
    problems: dict[str, Problem] = field(default_factory=dict[str, Problem])

    def until_nothing_is_left(
        self, report: Report, minutes: float = LONGEST_CLEAN_UP
    ) -> list[Thing]:
        """Remove round by round; returns what is left. Raises Stopped, and where AWS does not even
        list what there is, ClientError.
        """
        polling = self.stage.polling
        began, empty, pause = polling.now(), 0, FIRST_PAUSE
        while True:
            left = self._found()
            elapsed = polling.now() - began
            report(elapsed, left)
            empty = 0 if left else empty + 1
            if empty == ROUNDS_OF_NOTHING or elapsed >= 60 * minutes or self._hopeless(left):
                return left
            self._round(left)
            polling.wait(pause)
            pause = min(pause * 1.5, LONGEST_PAUSE) if left else FIRST_PAUSE

    def _found(self) -> list[Thing]:
        return [one for one in leftovers(self.stage) if self.run in ("", one.run)]

    def _hopeless(self, left: list[Thing]) -> bool:
        """Whether AWS has denied the removal of each of them."""
        tried = [one for one in left if one.kind != "role"] or left  # roles wait for the others
        found = [self.problems.get(one.name) for one in tried]
        return bool(found) and all(one and one.denied for one in found)

    def _round(self, left: list[Thing]) -> None:
        """Every step once. A function's role stays while the function or a VPC of its run does."""
        for vpc in (one for one in left if one.kind == "VPC"):
            self._tried(vpc, lambda vpc=vpc: self._opt_out(vpc))
        for one in left:
            if one.kind in ("subscription", "queue", "secret", "function"):
                self._remove(one)
        busy = {one.run for one in left if one.kind in ("function", "VPC")}
        for one in left:
            if one.kind == "VPC":
                self._remove_vpc(one)
            elif one.kind == "role" and one.run not in busy:
                self._remove(one)

    def _opt_out(self, vpc: Thing) -> None:
        tag = {"Key": OPT_OUT_TAG, "Value": "acceptance"}
        self.stage.client("ec2").create_tags(Resources=[vpc.handle], Tags=[tag])

    def _remove_vpc(self, vpc: Thing) -> None:
        """What lies in it first; the groups, subnets and the VPC once no interface is left, since a
        DeleteVpc that AWS refuses wakes the guard.
        """
        content: list[Thing] = []
        self._tried(vpc, lambda: content.extend(inside(self.stage, vpc)))
        waiting = [one for one in content if one.kind in ("endpoint", "network interface")]
        if waiting:
            # An endpoint's own interfaces, and those that Lambda still holds, are not ours to take.
            for one in waiting:
                if (one.kind, one.note) == ("network interface", "available") or (
                    one.kind == "endpoint" and one.note != "deleting"
                ):
                    self._remove(one)
            names = ", ".join(f"{one.kind} {one.name} ({one.note})" for one in waiting)
            self.problems.setdefault(vpc.name, Problem(f"still in it: {names}"))
        else:
            for one in [*content, vpc]:
                self._remove(one)
        # What stands in the way says more than what is said of the VPC.
        if inner := [self.problems[one.name] for one in content if one.name in self.problems]:
            self.problems[vpc.name] = inner[0]

    def _remove(self, thing: Thing) -> None:
        self._tried(thing, lambda: self._delete(thing))

    def _tried(self, thing: Thing, step: Callable[[], None]) -> None:
        """A step that AWS refuses is no reason to leave out the others."""
        try:
            step()
            self.problems.pop(thing.name, None)
        except ClientError as error:
            if absent(error):
                self.problems.pop(thing.name, None)
            else:
                self.problems[thing.name] = Problem(words_of(error), is_denial(code_of(error)))
        except BotoCoreError as error:
            self.problems[thing.name] = Problem(words_of(error))

    def _delete(self, thing: Thing) -> None:
        """Raises ClientError, of what is refused and of what is gone already."""
        client, handle = self.stage.client, thing.handle
        match thing.kind:
            case "subscription":
                client("sns").unsubscribe(SubscriptionArn=handle)
            case "queue":
                client("sqs").delete_queue(QueueUrl=handle)
            case "secret":
                client("secretsmanager").delete_secret(
                    SecretId=handle, ForceDeleteWithoutRecovery=True
                )
            case "function":
                client("lambda").delete_function(FunctionName=handle)
            case "role":
                self._delete_role(client("iam"), handle)
            case _:
                self._delete_in_ec2(client("ec2"), thing)

    def _delete_role(self, iam: Any, name: str) -> None:
        for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
            iam.delete_role_policy(RoleName=name, PolicyName=policy)
        iam.delete_role(RoleName=name)

    def _delete_in_ec2(self, ec2: Any, thing: Thing) -> None:
        match thing.kind:
            case "endpoint":
                refused = ec2.delete_vpc_endpoints(VpcEndpointIds=[thing.handle])["Unsuccessful"]
                for one in refused:
                    error: Any = {"Error": one["Error"]}
                    raise ClientError(error, "DeleteVpcEndpoints")
            case "network interface":
                ec2.delete_network_interface(NetworkInterfaceId=thing.handle)
            case "security group":
                ec2.delete_security_group(GroupId=thing.handle)
            case "subnet":
                ec2.delete_subnet(SubnetId=thing.handle)
            case _:
                ec2.delete_vpc(VpcId=thing.handle)
