"""What comparing and judging policies costs, for texts that were made to be slow.

    python -m benchmarks.policies

Each is as long as a policy may be (20,480 characters). It is compared with an approved policy of
200 patterns and with itself, but for one statement; and it is judged as a secret's resource policy.
Prints the processor time of each, the steps that were counted, and what came of it.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from guard.policy import MAX_CHARACTERS, Policy, compare, parse
from guard.policy.matching import MOST_STEPS, Matcher
from secret_policy.perimeter import Perimeter, gaps

type Json = dict[str, Any]

GOAL_SECONDS = 2.0
_SECRETS = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:"
SECRET = f"{_SECRETS}{'a' * 400}-AbCdEf"
PERIMETER = Perimeter(
    "123456789012", "aws", vpc_ids=frozenset({"vpc-1"}), served_vpc_ids=frozenset({"vpc-1"})
)


def statement(**elements: Any) -> Json:
    return {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"} | elements


def document(*statements: Json) -> str:
    body = {"Version": "2012-10-17", "Statement": statements}
    return json.dumps(body, separators=(",", ":"))


def asking(operator: str, values: Mapping[str, Any]) -> Json:
    return statement(Condition={operator: values})


def approved(patterns: int = 200) -> Policy:
    """An approved policy of so many patterns."""
    names = [f"{_SECRETS}team-{number}/*" for number in range(patterns)]
    return parse(document(statement(Resource=names)))


SHAPES: Mapping[str, Callable[[int], list[Json]]] = {
    "names": lambda n: [statement(Resource=[f"{_SECRETS}app-{i}/*" for i in range(n)])],
    "names and actions": lambda n: [
        statement(
            Resource=[f"{_SECRETS}team-{i}/x*" for i in range(n)],
            Action=[f"secretsmanager:Get{i}" for i in range(12)],
        )
    ],
    "stars in one name": lambda n: [statement(Resource=_SECRETS + "*a" * n)],
    "stars in many names": lambda n: [
        statement(Resource=[f"{_SECRETS}{'*a' * 99}{i}" for i in range(n)])
    ],
    "question marks": lambda n: [statement(Resource=f"{_SECRETS}*{'?' * n}a*")],
    "parts that may take colons": lambda n: [
        statement(Resource=[f"arn:aws:*:*:*{'a*' * 9}:{i}*" for i in range(n)])
    ],
    "statements": lambda n: [statement(Resource=f"{_SECRETS}*{i}*") for i in range(n)],
    "allows and denies": lambda n: [
        statement(Resource=f"{_SECRETS}*{i}*", Effect=("Allow", "Deny")[i % 2]) for i in range(n)
    ],
    "values of a condition": lambda n: [
        asking("StringNotLike", {"aws:SourceVpc": [f"*{i:x}*" for i in range(n)]})
    ],
    "VPCs": lambda n: [
        asking("StringNotEquals", {"aws:SourceVpc": [f"vpc-{i:x}" for i in range(n)]})
    ],
    "VPCs and endpoints": lambda n: [
        asking("StringNotEquals", {"aws:SourceVpc": [f"vpc-{i:x}" for i in range(n)]}),
        asking("StringNotEquals", {"aws:SourceVpce": [f"vpce-{i:x}" for i in range(n)]}),
    ],
    "keys": lambda n: [asking("StringNotLike", {f"aws:k{i:x}": "*" for i in range(n)})],
    "networks": lambda n: [
        asking("NotIpAddress", {"aws:VpcSourceIp": [f"10.{i % 256}.0.0/16" for i in range(n)]})
    ],
    "variables": lambda n: [
        asking("StringNotLike", {"aws:SourceVpc": [f"{'*${aws:userid}' * 9}{i}" for i in range(n)]})
    ],
    "principals": lambda n: [statement(Principal={"AWS": [f"{i:012}" for i in range(n)]})],
    "rules": lambda n: [
        statement(
            Action=[f"a:{i}*" for i in range(60)],
            Resource=[f"arn:a:*{i}" for i in range(60)],
            Principal={"AWS": [f"{i:012}" for i in range(n)]},
        )
    ],
}  # fmt: skip


def hostile() -> Iterator[tuple[str, list[Json], list[Json]]]:
    """The name, the statements that fit into a policy, and nearly the same ones."""
    for name, shape in SHAPES.items():
        fewest, most = 1, MAX_CHARACTERS
        while most - fewest > 1:
            middle = (fewest + most) // 2
            if len(document(*shape(middle))) <= MAX_CHARACTERS - 100:
                fewest = middle
            else:
                most = middle
        yield name, shape(fewest), [*shape(fewest - 1), statement(Effect="Deny", Action="b:c")]


def denying(statements: list[Json]) -> str:
    """The same as what a secret's policy denies."""
    return document(*({**one, "Effect": "Deny"} for one in statements))


def main() -> int:
    slowest = 0.0
    policy = approved()
    for name, statements, nearly in hostile():
        text = document(*statements)
        for way, ask in (
            ("with 200 patterns", partial(compare, text, policy)),
            ("with nearly itself", partial(compare, text, parse(document(*nearly)))),
            ("as a secret's", partial(gaps, denying(statements), SECRET, PERIMETER)),
        ):
            matcher = Matcher()
            began = time.process_time()
            found = ask(matcher)
            took = time.process_time() - began
            slowest = max(slowest, took)
            steps = MOST_STEPS - max(matcher.left, 0)
            first = getattr(found[0], "text", found[0])[:60]
            sys.stdout.write(
                f"{name:26} {way:18} {took:5.2f} s {steps:9,} steps {len(found):3} x {first}\n"
            )
    sys.stdout.write(f"the slowest took {slowest:.2f} s; the goal is {GOAL_SECONDS:.0f} s\n")
    return 0 if slowest < GOAL_SECONDS else 1


if __name__ == "__main__":
    sys.exit(main())
