"""The helpdesk: agents, what the chats tell them, and the console at /helpdesk. `README.md` says what is where.

Must not live here: the dialog (`dialogs/`), the chats (`bot/`), accounts (`backend/`); the parts that are shared come in as ports.
"""
