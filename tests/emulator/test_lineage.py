"""Lambda's recursive loop detection: chains through queues and topics, and where they end."""

import json
from datetime import timedelta
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator import Cloud, lineage
from emulator.runtime_lambda import find_rie
from tests.emulator.test_runtime_lambda import BUILT, ROOT

TEMPLATE = ROOT / "tests" / "emulator" / "loop_stack.yaml"

# Sends what it gets on to the queue or topic that the message names next, once more around.
HOPPER = """
import json, os
import boto3

sqs, sns = boto3.client("sqs"), boto3.client("sns")


def handler(event, context):
    for record in event["Records"]:
        left, *route = json.loads(record["body"])
        if not left:
            continue
        body = json.dumps([left - 1, *route[1:], route[0]])
        to = os.environ[route[0]]
        if to.startswith("arn:"):
            sns.publish(TopicArn=to, Message=body)
        else:
            sqs.send_message_batch(QueueUrl=to, Entries=[{"Id": "1", "MessageBody": body}])
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("hopper")
    build = root / ".aws-sam" / "build"
    for folder in (root / "functions", build / "Work"):
        folder.mkdir(parents=True)
        (folder / "work.py").write_text(HOPPER)
    # boto3 is in the layer, as in the real build.
    (root / "extra" / "python").mkdir(parents=True)
    import boto3

    for package in ("boto3", "botocore", "s3transfer", "jmespath", "urllib3", "dateutil", "six.py"):
        there = type(ROOT)(boto3.__file__).parents[1] / package
        (root / "extra" / "python" / package).symlink_to(there)
    names = ("OnceFunction", "TwiceFunction", "AllowedFunction")
    work = "  {}:\n    Type: AWS::Serverless::Function\n    Properties: {{CodeUri: Work}}\n"
    extra = BUILT[BUILT.index("  ExtraLayer:") :]
    head = "Globals:\n  Function:\n    Layers: [{Ref: ExtraLayer}]\nResources:\n"
    (build / "template.yaml").write_text(head + "".join(map(work.format, names)) + extra)
    rie = find_rie(ROOT)
    link = root / rie.relative_to(ROOT)
    link.parent.mkdir(parents=True)
    link.symlink_to(rie)
    return root


@pytest.fixture(scope="module", params=["inprocess", "lambda"])
def loops(request, root, deployment):
    """The small stack of functions that send on, in both runtimes."""
    with Cloud.start(runtime=request.param, template=TEMPLATE, root=root) as cloud:
        yield cloud


once = pytest.mark.parametrize("loops", ["inprocess"], indirect=True)


@pytest.fixture
def cloud(loops):
    loops.reset()
    return loops


def begin(cloud, queue, times, *route):
    client = cloud.session("somebody").client("sqs")
    body = json.dumps([times, *route])
    client.send_message(QueueUrl=cloud.resource(queue), MessageBody=body)
    cloud.settle()


def runs(cloud, name):
    return sum(one.function == name and not one.error for one in cloud.invocations)


def test_a_function_that_sends_to_itself_is_stopped_after_16_runs(cloud):
    begin(cloud, "OnceQueue", 15, "ONCE")
    assert (runs(cloud, "OnceFunction"), cloud.dropped) == (16, [])
    begin(cloud, "OnceQueue", 16, "ONCE")
    assert runs(cloud, "OnceFunction") == 32
    assert cloud.dropped == ["OnceFunction"] * 3  # it comes back until the queue gives it up
    assert len(cloud.dead_letters("OnceQueue")) == 1
    assert cloud.queue_depth("OnceQueue") == 0


@pytest.mark.parametrize("route", [("TWICE", "ONCE"), ("TOPIC", "ONCE")])
def test_a_loop_through_another_function_or_a_topic_is_one_chain(cloud, route):
    begin(cloud, "OnceQueue", 40, *route)
    assert runs(cloud, "OnceFunction") == 16
    assert runs(cloud, "TwiceFunction") == 16
    assert len(cloud.dead_letters("OnceQueue")) == 1


@once
def test_a_function_that_is_allowed_to_is_not_stopped(cloud):
    begin(cloud, "AllowedQueue", 40, "ALLOWED")
    assert runs(cloud, "AllowedFunction") == 41
    assert (cloud.dropped, cloud.dead_letters("AllowedQueue")) == ([], [])


@once
def test_what_was_allowed_counts_for_whoever_is_not(cloud):
    """Its own runs count, not those of the others in the chain."""
    begin(cloud, "AllowedQueue", 20, *["ALLOWED"] * 18, "ONCE", "ONCE")
    assert runs(cloud, "OnceFunction") == 2
    assert cloud.dropped == []


@once
def test_each_message_of_somebody_begins_a_chain(cloud):
    for _ in range(20):
        begin(cloud, "OnceQueue", 0)
    assert runs(cloud, "OnceFunction") == 20


@once
def test_a_trace_header_that_says_no_lineage_begins_a_chain(cloud):
    client = cloud.session("somebody").client("sqs")
    for header in ("Root=1-0-0;Lineage=nonsense", "", "Lineage=a:b,:3,c:", "x" * 100):
        attributes = {"AWSTraceHeader": {"DataType": "String", "StringValue": header or "-"}}
        client.send_message(
            QueueUrl=cloud.resource("OnceQueue"),
            MessageBody="[0]",
            MessageSystemAttributes=attributes,
        )
        cloud.settle()
    assert runs(cloud, "OnceFunction") == 4


@once
def test_an_invocation_by_the_api_is_in_no_chain_of_somebody(cloud):
    begin(cloud, "OnceQueue", 15, "ONCE")
    cloud.settle(timedelta(minutes=1))
    cloud.invoke("OnceFunction", {"Records": []})
    assert runs(cloud, "OnceFunction") == 17


@given(
    st.lists(
        st.dictionaries(st.text("0123456789abcdef", min_size=8, max_size=8), st.integers(0, 15)),
        max_size=4,
    )
)
def test_a_batch_has_the_highest_count_of_each_function(chains):
    headers = [
        "Root=1-0-0;Lineage=" + ",".join(f"{name}:{runs}" for name, runs in chain.items())
        for chain in chains
    ]
    header = lineage.enter("arn:of:it", headers, allowed=False)
    assert header == quote(header, safe="-=;:+&[]{}\"',")  # as botocore sends it
    (own,) = set(lineage.runs_of(lineage.enter("arn:of:it", [], allowed=False)))
    found = lineage.runs_of(header)
    for name in {name for chain in chains for name in chain} - {own}:
        assert found[name] == max(chain.get(name, 0) for chain in chains)
    assert found[own] == 1 + max((chain.get(own, 0) for chain in chains), default=0)
