"""The peers: the same dialog as their libraries' own documentation would have one write it. Each module is a program.

All listen on PORT at /telegram/webhook with the secret in TELEGRAM_WEBHOOK_SECRET, keep their state in REDIS_URL where their
library can, and call the Bot API at TELEGRAM_API_BASE. Words, checks and settings are shared (`words.py`), so that only the way differs.
"""
