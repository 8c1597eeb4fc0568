"""A Telegram group with topics as a place where agents are: one topic a hand-off."""
