"""`python -m tools.playground`."""

import sys

from botocore.exceptions import EndpointConnectionError

from guardctl.errors import Failed, next_step
from guardctl.screen import say
from tools.playground.command import app

if __name__ == "__main__":
    try:
        app()
    except EndpointConnectionError:
        say("playground: no emulated account answers\n  next: make playground", err=True)
        sys.exit(2)
    except Failed as error:
        say(f"playground: {error}\n  next: {next_step(error)}", err=True)
        sys.exit(error.code)
