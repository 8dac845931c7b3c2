"""Stage 3: backends that draw completions."""
