"""What a function's process runs: `python -m awslambdaric`, on the embedded cloud's clock.

Before each invocation the difference between the embedded cloud's time and the host's is read from
the file that EMULATOR_CLOCK names, and the invocation's trace header, which the Runtime Interface
Emulator does not hand on, from that of EMULATOR_TRACE. Imports nothing of the project: the process
has none of it.
"""

import os
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import time_machine
from awslambdaric import __main__ as runtime
from awslambdaric.lambda_runtime_client import LambdaRuntimeClient

_clock = Path(os.environ.pop("EMULATOR_CLOCK"))
_trace = Path(os.environ.pop("EMULATOR_TRACE"))
_travel = time_machine.travel(timedelta(0), tick=True).start()


def _set_clock() -> None:
    ahead = float(_clock.read_text())
    _travel.move_to(time_machine.escape_hatch.time.time() + ahead)


def _follow_the_cloud() -> None:
    wait = LambdaRuntimeClient.wait_next_invocation

    def wait_next_invocation(self: Any, *args: Any, **settings: Any) -> Any:
        request: Any = wait(self, *args, **settings)
        _set_clock()
        request.x_amzn_trace_id = _trace.read_text()
        # The emulator gives the deadline in the host's time.
        request.deadline_time_in_ms = int(request.deadline_time_in_ms) + int(
            float(_clock.read_text()) * 1000
        )
        return request

    client: Any = LambdaRuntimeClient
    client.wait_next_invocation = wait_next_invocation


if __name__ == "__main__":
    # The folder of this file is first on the path; the function's code comes before the runtime.
    sys.path.append(sys.path.pop(0))
    _set_clock()
    _follow_the_cloud()
    runtime.main(sys.argv)
