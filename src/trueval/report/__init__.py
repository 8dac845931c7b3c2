"""Stage 7: what people read."""
