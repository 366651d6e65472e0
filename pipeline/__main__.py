"""``python -m pipeline`` is the console script ``dcgan``."""

from pipeline.cli import main

if __name__ == "__main__":
    main()
