"""Holds a CycloneDX bill of materials to the packages in a layer: `check_sbom.py FILE FOLDER`.

The bill comes from the lock file. What the layer really holds says so itself, in its .dist-info
folders.
"""

import json
import sys
from importlib.metadata import distributions
from pathlib import Path


def main() -> None:
    bill = json.loads(Path(sys.argv[1]).read_text())
    billed = {(one["name"].lower(), one["version"]) for one in bill["components"]}
    built = {
        (one.metadata["Name"].lower().replace("_", "-"), one.version)
        for one in distributions(path=[sys.argv[2]])
    }
    if billed != built or not built:
        sys.exit(f"billed and not built: {billed - built}; built and not billed: {built - billed}")
    sys.stdout.write(f"{len(built)} packages built, each in the bill\n")


if __name__ == "__main__":
    main()
