"""Stage 1: benchmarks, each as problems and references."""
