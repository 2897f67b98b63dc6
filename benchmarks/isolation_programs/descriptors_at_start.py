"""The first descriptor that the program opens under plain Python is a small one."""
import os

with open(os.devnull) as file:
    print(file.fileno() < 20)
