"""CloudFormation's change sets: the transform, the rules, what is listed, what is left after."""

import json
import textwrap

import boto3
import pytest
from botocore.exceptions import ClientError

TEMPLATE = textwrap.dedent("""
    Transform: AWS::Serverless-2016-10-31
    Parameters:
      Wait: {Type: Number, Default: 30}
      Names: {Type: CommaDelimitedList, Default: ""}
      Label: {Type: String, Default: a}
      Second: {Type: String, Default: "no"}
    Rules:
      SecondNeedsNames:
        RuleCondition: !Equals [!Ref Second, "yes"]
        Assertions:
          - Assert: !Not [!EachMemberEquals [!Ref Names, ""]]
            AssertDescription: Second needs Names.
    Conditions:
      HasSecond: !Equals [!Ref Second, "yes"]
    Resources:
      Queue: {Type: AWS::SQS::Queue, Properties: {VisibilityTimeout: !Ref Wait}}
      Other: {Type: AWS::SQS::Queue, Condition: HasSecond}
      Mode: {Type: AWS::SSM::Parameter, Properties: {Type: String, Value: !Ref Label}}
      Function:
        Type: AWS::Serverless::Function
        Properties: {InlineCode: "x = 1", Handler: index.x, Runtime: python3.13}
    Outputs:
      Url: {Value: !Ref Queue}
""")


@pytest.fixture
def stacks(monkeypatch):
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")  # SAM's translator reads it
    client = boto3.client("cloudformation", region_name="us-east-1")
    yield client
    client.delete_stack(StackName="some")


def change_set(client, kind, tags=(), **given):
    """Its description. What is not given keeps its value in an update."""
    values = [{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()]
    if kind == "UPDATE":
        known = ("Wait", "Names", "Label", "Second")
        kept = [
            {"ParameterKey": one, "UsePreviousValue": True} for one in known if one not in given
        ]
        values += kept
    arn = client.create_change_set(
        StackName="some",
        ChangeSetName=f"set-{id(values)}",
        ChangeSetType=kind,
        TemplateBody=TEMPLATE,
        Parameters=values,
        Tags=[{"Key": key, "Value": value} for key, value in tags],
        Capabilities=["CAPABILITY_IAM"],
    )["Id"]
    return client.describe_change_set(ChangeSetName=arn)


def verbs(described):
    changes = [one["ResourceChange"] for one in described.get("Changes", [])]
    return {one["LogicalResourceId"]: one["Action"] for one in changes}


def test_a_change_set_of_a_sam_template_makes_its_functions_outputs_and_tags(stacks):
    made = change_set(stacks, "CREATE", tags=[("team", "a")], Names="a,b")
    names = {"Queue", "Mode", "Function", "FunctionRole"}
    assert verbs(made) == dict.fromkeys(names, "Add")
    stacks.execute_change_set(ChangeSetName=made["ChangeSetId"])
    (stack,) = stacks.describe_stacks(StackName="some")["Stacks"]
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    assert [one["OutputKey"] for one in stack["Outputs"]] == ["Url"]
    assert stack["Tags"] == [{"Key": "team", "Value": "a"}]
    given = {one["ParameterKey"]: one["ParameterValue"] for one in stack["Parameters"]}
    assert given == {"Wait": "30", "Names": "a,b", "Label": "a", "Second": "no"}
    functions = boto3.client("lambda", region_name="us-east-1").list_functions()["Functions"]
    assert len(functions) == 1


def test_an_update_lists_what_a_parameter_or_a_condition_changes(stacks):
    stacks.execute_change_set(ChangeSetName=change_set(stacks, "CREATE")["ChangeSetId"])
    assert verbs(change_set(stacks, "UPDATE", Wait="60")) == {"Queue": "Modify"}
    assert verbs(change_set(stacks, "UPDATE", Label="b", Names="a", Second="yes")) == {
        "Mode": "Modify",
        "Other": "Add",
    }
    update = change_set(stacks, "UPDATE", Wait="60")
    stacks.execute_change_set(ChangeSetName=update["ChangeSetId"])
    url = stacks.describe_stacks(StackName="some")["Stacks"][0]["Outputs"][0]["OutputValue"]
    sqs = boto3.client("sqs", region_name="us-east-1")
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])
    assert found["Attributes"]["VisibilityTimeout"] == "60"


def test_nothing_to_change_fails_the_change_set(stacks):
    stacks.execute_change_set(ChangeSetName=change_set(stacks, "CREATE")["ChangeSetId"])
    same = change_set(stacks, "UPDATE")
    assert (same["Status"], "didn't contain changes" in same["StatusReason"]) == ("FAILED", True)
    assert change_set(stacks, "UPDATE", tags=[("team", "a")])["Status"] == "CREATE_COMPLETE"


def test_a_rule_that_is_not_kept_is_refused_in_its_words(stacks):
    with pytest.raises(ClientError, match=r"Second needs Names\."):
        change_set(stacks, "CREATE", Second="yes")
    with pytest.raises(ClientError, match=r"Second needs Names\."):
        stacks.create_stack(
            StackName="some",
            TemplateBody=TEMPLATE,
            Parameters=[{"ParameterKey": "Second", "ParameterValue": "yes"}],
        )
    assert change_set(stacks, "CREATE", Second="yes", Names="a")["Status"] == "CREATE_COMPLETE"


def test_a_second_first_change_set_is_for_the_same_stack(stacks):
    change_set(stacks, "CREATE")
    second = change_set(stacks, "CREATE", Wait="60")
    stacks.execute_change_set(ChangeSetName=second["ChangeSetId"])
    assert len(stacks.describe_stacks(StackName="some")["Stacks"]) == 1
    with pytest.raises(ClientError, match="already exists"):
        change_set(stacks, "CREATE")


def test_a_template_without_transform_is_left_alone(stacks):
    body = json.dumps({"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}})
    stacks.create_stack(StackName="some", TemplateBody=body)
    assert stacks.get_template(StackName="some")["TemplateBody"] == json.loads(body)
