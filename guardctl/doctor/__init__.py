"""What a deployment needs, checked first: one line each, ok or what to do."""

from guardctl.doctor.command import doctor

__all__ = ["doctor"]
