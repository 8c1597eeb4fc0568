"""The web chat and the terminal chat: one HTTP API, one transcript, two channel names.

Lives here: the transcript (`transcript.py`, `sqlite_transcript.py`), the channel that writes to it (`channel.py`), who is
talking (`sessions.py`), the HTTP API and the page (`routes.py`), the widget (`pages/`, `static/`, `words/`). Must not live here: the
dialog's words and rules (`dialogs/`), other channels. The terminal's own side is `akses/chat.py`: a client of this API.
"""
