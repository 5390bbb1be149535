"""Replay: a campaign run against an already measured table, to choose a strategy beforehand.

A surrogate never sees an unmeasured value: the table is read into a `MeasuredLab`, and only the
wells that were chosen come back.
"""
