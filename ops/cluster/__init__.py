"""A Kubernetes environment: render → facts → plan → apply → watch → record → rollback, under one lock.

The verbs' story is in `release.py`; each step has a file of its own that is named after it.
"""
