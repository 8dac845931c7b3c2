"""Stage 6: from verdicts to estimates."""
