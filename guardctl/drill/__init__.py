"""`guardctl drill`: a day in an emulated account, played step by step, each step checked."""
