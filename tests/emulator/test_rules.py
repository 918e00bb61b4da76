"""Rules of a template, as CloudFormation documents their functions."""

import pytest

from emulator.rules import UnknownFunction, broken_rules

PARAMETERS = {
    "Kind": {"Type": "String", "Default": "small"},
    "Count": {"Type": "Number", "Default": 1},
    "Ids": {"Type": "CommaDelimitedList", "Default": ""},
}


def ref(name):
    return {"Ref": name}


def holds(test, **given):
    document = {
        "Parameters": PARAMETERS,
        "Rules": {"It": {"Assertions": [{"Assert": test, "AssertDescription": "so"}]}},
    }
    return broken_rules(document, given, {"AWS::Region": "eu-west-1"}) == []


@pytest.mark.parametrize(
    ("test", "given", "expected"),
    [
        ({"Fn::Equals": [ref("Kind"), "small"]}, {}, True),
        ({"Fn::Equals": [ref("Kind"), "small"]}, {"Kind": "big"}, False),
        ({"Fn::Equals": [ref("Count"), 1]}, {"Count": "1"}, True),
        ({"Fn::Equals": [ref("AWS::Region"), "eu-west-1"]}, {}, True),
        ({"Fn::Not": [{"Fn::Equals": [ref("Kind"), "small"]}]}, {}, False),
        ({"Fn::Contains": [["small", "big"], ref("Kind")]}, {"Kind": "big"}, True),
        ({"Fn::Contains": [["small", "big"], ref("Kind")]}, {"Kind": "huge"}, False),
        ({"Fn::EachMemberEquals": [ref("Ids"), ""]}, {}, True),
        ({"Fn::EachMemberEquals": [ref("Ids"), ""]}, {"Ids": "a,b"}, False),
        ({"Fn::EachMemberEquals": [ref("Ids"), "a"]}, {"Ids": "a,a"}, True),
        ({"Fn::EachMemberIn": [ref("Ids"), ["a", "b", "c"]]}, {"Ids": "a,c"}, True),
        ({"Fn::EachMemberIn": [ref("Ids"), ["a", "b", "c"]]}, {"Ids": "a,d"}, False),
        ({"Fn::EachMemberIn": [{"Fn::RefAll": "String"}, ["small"]]}, {}, True),
        ({"Fn::EachMemberIn": [{"Fn::RefAll": "String"}, ["big"]]}, {}, False),
        ({"Fn::And": [{"Fn::Equals": ["a", "a"]}, {"Fn::Equals": ["a", "b"]}]}, {}, False),
        ({"Fn::Or": [{"Fn::Equals": ["a", "a"]}, {"Fn::Equals": ["a", "b"]}]}, {}, True),
    ],
)
def test_functions(test, given, expected):
    assert holds(test, **given) is expected


def test_a_rule_whose_condition_does_not_hold_asserts_nothing():
    rule = {
        "RuleCondition": {"Fn::Equals": [ref("Kind"), "big"]},
        "Assertions": [{"Assert": {"Fn::Equals": ["a", "b"]}, "AssertDescription": "never"}],
    }
    document = {"Parameters": PARAMETERS, "Rules": {"It": rule}}
    assert broken_rules(document, {}, {}) == []
    assert broken_rules(document, {"Kind": "big"}, {}) == ["It: never"]


def test_a_function_that_rules_do_not_know_is_an_error():
    with pytest.raises(UnknownFunction, match="Fn::Join"):
        holds({"Fn::Equals": [{"Fn::Join": ["", ref("Ids")]}, ""]})
    with pytest.raises(KeyError):
        holds({"Fn::Equals": [ref("Nothing"), ""]})
