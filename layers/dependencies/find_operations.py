"""Writes operations.json, the AWS operations that the functions can call: `make operations`.

Found in the code, not kept by hand: of each service that a client is made of, the operations whose
method, paginator or waiter is named anywhere in functions/, and those whose IAM action a handler's
docstring names. Rather one too many than one too few. SAM builds the layer from this folder alone
(and builds it anew only when it changes), which is why the list is written down here.
"""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import botocore.session
from botocore import xform_name

HERE = Path(__file__).parent
FUNCTIONS = HERE.parents[1] / "functions"
LISTED = HERE / "operations.json"

type Operations = dict[str, list[str]]


def main() -> None:
    LISTED.write_text(json.dumps(find(FUNCTIONS), indent=2) + "\n")


def find(folder: Path) -> Operations:
    """The operations used by the code of a folder, by service."""
    trees = [ast.parse(path.read_text()) for path in sorted(folder.rglob("*.py"))]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    services = sorted(set(made_clients(nodes)))
    names = set(spoken_names(nodes))
    actions = {action for tree in trees for action in iam_actions(ast.get_docstring(tree) or "")}
    session = botocore.session.get_session()
    return {
        service: sorted(
            operation
            for operation in session.get_service_model(service).operation_names
            if xform_name(operation) in names or f"{service}:{operation}" in actions
        )
        for service in services
    }


def made_clients(nodes: list[ast.AST]) -> Iterator[str]:
    """The services in `client("ec2", ...)`, whoever makes it."""
    for node in nodes:
        match node:
            case ast.Call(
                func=ast.Attribute(attr="client") | ast.Name(id="client" | "lazy_client"),
                args=[ast.Constant(value=str(service)), *_],
            ):
                yield service
            case _:
                pass


def spoken_names(nodes: list[ast.AST]) -> Iterator[str]:
    """Every attribute and every text: methods, get_paginator("..."), getattr(client, "...")."""
    for node in nodes:
        match node:
            case ast.Attribute(attr=name) | ast.Constant(value=str(name)):
                yield name
            case _:
                pass


def iam_actions(docstring: str) -> list[str]:
    """What a handler's docstring says after `IAM:`."""
    _, _, rights = docstring.partition("IAM: ")
    return re.findall(r"\b[a-z0-9]+:[A-Z]\w+", rights)


if __name__ == "__main__":
    main()
