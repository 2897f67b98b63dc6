"""Recursion ends at the same depth."""
import sys


def deeper(n):
    return deeper(n + 1)


try:
    deeper(0)
except RecursionError as error:
    print(error, sys.getrecursionlimit())
