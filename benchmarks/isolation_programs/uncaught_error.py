"""Ends with an error that nobody catches."""


def fail():
    raise ValueError("theirs") from KeyError("why")


fail()
