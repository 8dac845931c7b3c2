"""`python -m trueval`."""

from trueval.cli import main

if __name__ == "__main__":
    main()
