"""Chatwoot as a bridge: an API inbox there, an agent bot that speaks for us, a webhook that rings here.

| I want to change | go to |
|---|---|
| what is asked of Chatwoot and what its answers mean | `client.py` |
| what stands in a conversation there | `bridge.py` |
| what becomes of what agents do there | `inbound.py` |
| whether a webhook is Chatwoot's | `signature.py`, `webhook.py` |
| how what agents format there reads in a chat | `plain.py` |
"""
