"""The dialog: what is said and when, as a pure function. See `dialogs/README.md` for where to change what."""

from dialogs.machine import Turn, current_screen, step
from dialogs.profile import Profile
from dialogs.session import Session

__all__ = ["Profile", "Session", "Turn", "current_screen", "step"]
