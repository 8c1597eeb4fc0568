"""The built-in inbox of the embedded product: real SMTP in, a page to read it. `catcher.py` takes mail, `store.py` keeps it,
`pages.py` shows it. Only the composition root uses it, and never where SMTP_URL is set.
"""
