"""The picture of the dialog, drawn from what runs.

`explore.py` plays, `picture.py` chooses, `svg.py` and `mermaid.py` draw, `page.py` writes.
"""

from dialogs.diagram.page import chart, page, picture

__all__ = ["chart", "page", "picture"]
