"""Of typing_extensions what the packages here ask for; Python 3.13 has it all.

The package defines everything anew at import, which takes longer than the rest of Powertools.
"""

from collections.abc import Buffer
from typing import NotRequired, Self
from warnings import deprecated

__all__ = ["Buffer", "NotRequired", "Self", "deprecated"]
