"""``python -m memanalysis`` is the command line, also where scripts are not on the path."""

from memanalysis.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
