"""A finaliser fails."""


class Fails:
    def __del__(self):
        raise RuntimeError("in __del__")


Fails()
print("goes on")
