"""Reaction 3, detect_bypass: from judged records to what ops are told. Judged in guard.judge."""
