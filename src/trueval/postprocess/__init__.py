"""Stage 4: from a completion to a program."""
