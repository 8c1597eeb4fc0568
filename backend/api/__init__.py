"""The contract under `/api/v1`: what a registration channel may ask of a backend.

`models.py` says what comes in and goes out, `routes.py` which address does what, `problems.py` how it says no, `guard.py` what stands
before all of it. The frozen form is `backend_client/openapi.json`, written by `python -m backend.openapi`.
"""
