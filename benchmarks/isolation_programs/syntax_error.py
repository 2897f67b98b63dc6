"""Code that does not compile."""
compile("x = = 1", "theirs.py", "exec")
