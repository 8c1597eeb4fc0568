"""Where an error was raised, for a log that must not quote what a person typed.

Lives here: `where`. Must not live here: what is done about an error.
"""

from __future__ import annotations


def where(error: BaseException) -> str:
    """The line that raised, without the message."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else ""
