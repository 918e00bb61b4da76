"""Has the second judge check the deployed stack: `judge_rights.py [SHAPE...]`, all by default.

Plays the day of `make least-rights` in each shape of deployment. Ends with 1 where anything is
needed and denied, granted and unused, not refused though it must be, or could not be judged.
"""

import sys
import warnings

from tools.rights.day import play
from tools.rights.deployed import Deployed
from tools.rights.second import case, findings, judged
from tools.rights.shapes import SHAPES, start


def main(shapes: list[str]) -> int:
    if unknown := set(shapes) - set(SHAPES):
        sys.exit(f"no shape {', '.join(sorted(unknown))}: one of {', '.join(SHAPES)}")
    wrong = 0
    for shape in shapes or SHAPES:
        with warnings.catch_warnings(), start(shape) as cloud:
            warnings.simplefilter("ignore")  # Powertools warns of runs that had nothing to count
            play(cloud)
            one = case(Deployed(cloud))
        lines = findings(one, judged(one.text))
        wrong += len(lines)
        summary = (
            f"{shape}: {one.allowed} requests needed, {len(one.requests) - one.allowed} to be "
            f"refused, {len(lines)} not as they should be"
        )
        sys.stdout.write("\n  ".join([summary, *lines]) + "\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
