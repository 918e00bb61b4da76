"""The tags of a stack, on those of its resources that CloudFormation puts them on.

moto's CloudFormation puts them on EC2's resources alone. In AWS they are on parameters, functions,
queues, topics and tables too ("Resource tags", CloudFormation user guide; the registry schemas of
these types are `taggable`), with three of CloudFormation's own.
"""

from collections.abc import Callable, Mapping
from typing import Any

from moto.awslambda.models import lambda_backends
from moto.dynamodb.models import dynamodb_backends
from moto.sns.models import sns_backends
from moto.sqs.models import sqs_backends
from moto.ssm.models import ssm_backends

from .deploy import STACK_NAME, Deployment

type Tags = Mapping[str, str]


def put(deployment: Deployment, tags: Tags) -> None:
    """Give the stack these tags, and no others."""
    for logical_id, (kind, _) in deployment.resources.items():
        if kind in _PUT and logical_id in deployment.physical:
            own = {
                "aws:cloudformation:stack-name": STACK_NAME,
                "aws:cloudformation:stack-id": deployment.stack_id,
                "aws:cloudformation:logical-id": logical_id,
            }
            _PUT[kind](deployment, deployment.physical[logical_id], {**tags, **own})


def _parameter(deployment: Deployment, name: str, tags: dict[str, str]) -> None:
    ssm: Any = ssm_backends[deployment.account][deployment.region]
    ssm._resource_tags["Parameter"][name] = tags


def _function(deployment: Deployment, name: str, tags: dict[str, str]) -> None:
    functions: Any = lambda_backends[deployment.account][deployment.region]
    functions.get_function(name).tags = {"lambda:createdBy": "SAM", **tags}


def _queue(deployment: Deployment, url: str, tags: dict[str, str]) -> None:
    queues: Any = sqs_backends[deployment.account][deployment.region]
    queues.get_queue(url.rsplit("/", 1)[-1]).tags = tags


def _topic(deployment: Deployment, arn: str, tags: dict[str, str]) -> None:
    topics: Any = sns_backends[deployment.account][deployment.region].topics
    topics[arn]._tags = tags


def _table(deployment: Deployment, name: str, tags: dict[str, str]) -> None:
    tables: Any = dynamodb_backends[deployment.account][deployment.region].tables
    tables[name].tags = [{"Key": key, "Value": value} for key, value in tags.items()]


_PUT: Mapping[str, Callable[[Deployment, str, dict[str, str]], None]] = {
    "AWS::SSM::Parameter": _parameter,
    "AWS::Lambda::Function": _function,
    "AWS::SQS::Queue": _queue,
    "AWS::SNS::Topic": _topic,
    "AWS::DynamoDB::Table": _table,
}
