"""Stage 5: from a program to a verdict."""
