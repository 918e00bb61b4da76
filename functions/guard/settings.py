"""What the template tells a function, read once at cold start and checked there.

A variable that is missing or malformed raises `SettingsError` naming it, so that a bad deployment
fails at its first invocation, loudly, and not in the middle of a repair.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from guard.partitions import endpoint_service
from guard.variables import required, switch

RUNBOOKS = "docs/runbooks/"
"""Where the runbooks are when no address is configured: their folder in this repository."""
LAYER_FOLDER = "/opt/endpoint_policies"  # where Lambda puts the layer of approved policies

# The guard's tags all begin with vpce-guard: as do the two that its IAM policies name.
OPT_OUT_TAG = "vpce-guard:ignore"  # on a VPC, endpoint or secret: leave it alone
SCOPE_TAG = "vpce-guard:guarded"  # on a VPC, with the scope tagged: guard it
POLICY_TAG = "vpce-guard:policy"  # on a VPC or endpoint: its value names the approved policy
PERIMETER_TAG = "vpce-guard:perimeter"  # on a secret: only reads from inside may be allowed


@dataclass(frozen=True, slots=True)
class Publishing:
    """How findings are published. `runbooks` is the address under which `docs/runbooks/` can be
    read; `partition`: whose console findings are linked to; `collect`: findings of low severity
    wait for the digest; `chat`: Amazon Q Developer shows them.
    """

    runbooks: str = RUNBOOKS
    partition: str = ""
    collect: bool = False
    chat: bool = False


BY_DEFAULT = Publishing()


@dataclass(frozen=True, slots=True)
class Settings:
    """What every reaction needs to know of the place it was deployed to."""

    account_id: str
    region: str
    partition: str
    stack_id: str
    topic_arn: str
    table_name: str
    mode_parameter: str
    opt_out_tag: str
    publishing: Publishing = BY_DEFAULT

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Read the variables of the template's Globals section; SettingsError names a bad one."""
        return cls(
            account_id=required(env, "ACCOUNT_ID"),
            region=required(env, "AWS_REGION"),
            partition=required(env, "PARTITION"),
            stack_id=required(env, "STACK_ID"),
            topic_arn=required(env, "TOPIC_ARN"),
            table_name=required(env, "TABLE_NAME"),
            mode_parameter=required(env, "MODE_PARAMETER"),
            opt_out_tag=required(env, "OPT_OUT_TAG", OPT_OUT_TAG),
            publishing=Publishing(
                runbooks=env.get("RUNBOOKS") or RUNBOOKS,
                partition=required(env, "PARTITION"),
                # An hourly digest: published one by one, what is low would hide what is high.
                collect=switch(env, "COLLECT_LOW", "true"),
                chat=env.get("CHAT") == "true",
            ),
        )

    @property
    def service_name(self) -> str:
        """The endpoint service that is guarded, as DescribeVpcEndpoints names it."""
        return endpoint_service(self.region)

    @property
    def place(self) -> str:
        """The account and the Region, as names in the state table have them."""
        return f"{self.account_id}/{self.region}"

    @property
    def stack_name(self) -> str:
        """arn:aws:cloudformation:…:stack/vpce-guard/1b2c… → vpce-guard."""
        return self.stack_id.rpartition(":stack/")[2].partition("/")[0]

    @property
    def function_arn_prefix(self) -> str:
        """How the ARN of a function of this account and Region begins."""
        return f"arn:{self.partition}:lambda:{self.region}:{self.account_id}:function:"
