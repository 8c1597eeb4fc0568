"""The steps of the dialog, one file a step or a small family of steps; the table of all is in `dialogs/machine.py`."""
