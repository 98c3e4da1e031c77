"""``python -m farscope`` is the same as ``farscope``."""

from farscope.cli.main import main

if __name__ == "__main__":
    main()
