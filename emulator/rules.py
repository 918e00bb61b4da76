"""A template's `Rules`: which of them the values of the parameters break. Pure.

CloudFormation checks them before it creates or changes anything ("Rule functions" and "Rules
syntax" in the CloudFormation user guide). A rule without a condition always holds its assertions.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

type Json = Mapping[str, Any]


class UnknownFunction(ValueError):
    """Not one of the functions that CloudFormation documents for rules."""


def broken_rules(document: Json, given: Mapping[str, str], pseudo: Mapping[str, str]) -> list[str]:
    """What each failed assertion says, in the template's order; empty where every rule is kept.

    `given` are the stack's parameters, the rest have their defaults; `pseudo` are AWS::Region and
    its like. Raises UnknownFunction and KeyError for a rule that CloudFormation would not take.
    """
    values = _Values(document.get("Parameters", {}), given, pseudo)
    return [
        f"{name}: {assertion.get('AssertDescription', 'the assertion failed')}"
        for name, rule in document.get("Rules", {}).items()
        if "RuleCondition" not in rule or values.of(rule["RuleCondition"])
        for assertion in rule["Assertions"]
        if not values.of(assertion["Assert"])
    ]


class _Values:
    """Expressions of rules, evaluated with the values of the parameters."""

    def __init__(self, declared: Json, given: Mapping[str, str], pseudo: Json) -> None:
        self._declared = declared
        self._known: dict[str, Any] = dict(pseudo)
        for name, parameter in declared.items():
            text = str(given.get(name, parameter.get("Default", "")))
            self._known[name] = text.split(",") if "List" in parameter["Type"] else text
        self._functions: dict[str, Callable[..., Any]] = {
            "Ref": lambda name: self._known[name],
            "Fn::And": lambda *tests: all(tests),
            "Fn::Or": lambda *tests: any(tests),
            "Fn::Not": lambda test: not test,
            "Fn::Equals": lambda one, other: _text(one) == _text(other),
            "Fn::Contains": lambda among, one: _text(one) in map(_text, among),
            "Fn::EachMemberEquals": lambda each, one: all(_text(x) == _text(one) for x in each),
            "Fn::EachMemberIn": lambda each, among: {*map(_text, each)} <= {*map(_text, among)},
            "Fn::RefAll": lambda kind: list(self._of_type(kind)),
        }

    def of(self, expression: Any) -> Any:
        if isinstance(expression, list):
            return [self.of(one) for one in expression]
        if not isinstance(expression, Mapping):
            return expression
        ((name, arguments),) = expression.items()
        if name not in self._functions:
            raise UnknownFunction(f"{name} is no function of rules")
        listed = arguments if isinstance(arguments, list) else [arguments]
        return self._functions[name](*(self.of(one) for one in listed))

    def _of_type(self, kind: str) -> Iterator[Any]:
        """A list of lists, where the type is one of lists."""
        return (self._known[name] for name, one in self._declared.items() if one["Type"] == kind)


def _text(value: Any) -> str:
    """CloudFormation compares texts: true is "true", and 5 is "5"."""
    return str(value).lower() if isinstance(value, bool) else str(value)
