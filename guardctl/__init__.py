"""The command line of VPCE Guard.

In the repository it uses the functions, template and approved policies beside it. A wheel carries
them in `guardctl/bundle`, so that no top-level package of the functions can meet one of another
distribution.
"""

import sys
from pathlib import Path

_HERE = Path(__file__).resolve().parent
BUNDLED = (_HERE / "bundle").is_dir()
ROOT = _HERE / "bundle" if BUNDLED else _HERE.parent

for _folder in (str(ROOT), str(ROOT / "functions")):
    if _folder not in sys.path:
        sys.path.insert(0, _folder)
