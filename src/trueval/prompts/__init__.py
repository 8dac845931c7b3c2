"""Stage 2: what a model is shown."""
