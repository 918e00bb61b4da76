"""What AWS refused of a plan, in its words, and what a person has to do about it. Pure."""

import re
from collections.abc import Collection
from dataclasses import dataclass

from botocore.exceptions import ClientError

from guard.aws.denials import cure, is_denial
from guard.aws.errors import code_of, encoded_in, message_of, out_of_date, readable
from guard.endpoint.plan import CreateEndpoint, CreateGroup, ModifyEndpoint, Step

TAG_POLICY = "TagPolicyViolation"

# EC2 has several codes for it, and says it under InvalidParameterValue, too: "There aren't
# sufficient free Ipv4 addresses or prefixes" (cilium issue 31016, amazon-vpc-cni-k8s issue 3105).
_NO_ROOM = ("InsufficientFreeAddresses", "InsufficientCidrBlocks", "InsufficientPrefixes")
_NO_ROOM_WORDS = re.compile(
    r"(insufficient|sufficient|enough) free (ip(v[46])? )?(address|cidr|prefix)", re.IGNORECASE
)
_SUBNET = re.compile(r"\bsubnet-[0-9a-f]+\b", re.ASCII)


@dataclass(frozen=True, slots=True)
class Refused:
    """The step AWS refused, with AWS's code and words.

    `out_of_date`: AWS knows another state than the one that was acted on.
    """

    step: Step
    code: str
    message: str
    out_of_date: bool = False

    @classmethod
    def of(cls, step: Step, error: ClientError) -> "Refused":
        return cls(step, code_of(error), message_of(error), out_of_date(error))

    def __str__(self) -> str:
        return f"AWS refused to {self.step}: {self.words}"

    @property
    def words(self) -> str:
        """AWS's code and words, without what only AWS can decode."""
        return f"{self.code}: {readable(self.message)}"

    @property
    def no_room(self) -> bool:
        """Whether a subnet has no address left, or none in one piece."""
        return self.code.startswith(_NO_ROOM) or bool(_NO_ROOM_WORDS.search(self.message))

    def named(self, subnet_ids: Collection[str]) -> frozenset[str]:
        """Those of the subnets because of which AWS refused the step, as far as its words say so.

        A refusal for want of rights names whatever subnet was judged first, so that says nothing.
        """
        if is_denial(self.code) or self.out_of_date:
            return frozenset()
        return frozenset(_SUBNET.findall(self.message)) & set(subnet_ids)

    def cures(self, stack_name: str) -> tuple[str, ...]:
        """What a person has to do before AWS lets the step pass, the likeliest first."""
        creates = isinstance(self.step, CreateEndpoint | CreateGroup)
        if self.code == TAG_POLICY:
            return (_give_tags(stack_name, "with a value that the tag policy allows"),)
        if is_denial(self.code):
            wanting = _give_tags(stack_name, "if it is denied for want of a tag")
            return (cure(self.message, self.step.permission), *self._decode(), *[wanting][:creates])
        if self.no_room and isinstance(self.step, CreateEndpoint | ModifyEndpoint):
            return ("free addresses in these subnets, or add a subnet with room to each AZ",)
        if self.code.endswith("LimitExceeded"):
            return ("raise the quota in Service Quotas, or remove what is not needed",)
        if self.code == "ConflictingDomainExists" or "conflicting DNS domain" in self.message:
            held_by = "another endpoint or a private hosted zone"
            zones = "aws route53 list-hosted-zones-by-vpc lists the zones"
            return (f"remove what has the name in this VPC, {held_by}: {zones}",)
        return ("fix what AWS's message names",)

    def _decode(self) -> tuple[str, ...]:
        if not encoded_in(self.message):
            return ()
        decode = "aws sts decode-authorization-message --encoded-message"
        return (f"to see which policy denies it: {decode} TEXT (evidence: encoded_message)",)


def _give_tags(stack_name: str, why: str) -> str:
    return (
        f"{why}, give the tag to the stack, which puts it on what it creates: sam deploy"
        f" --stack-name {stack_name} --tags KEY=VALUE (name also the tags that it has)"
    )
