"""What a turn costs, measured: our product beside the idiomatic bots that it is an alternative to, in one run of one command.

Lives here: the load, the peers, the counting and the table. Must not live here: anything that the product imports. Start at `__main__.py`.
"""
