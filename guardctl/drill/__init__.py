"""`guardctl drill`: a day in an emulated account, told step by step, each step checked."""

from guardctl.drill.command import drill

__all__ = ["drill"]
