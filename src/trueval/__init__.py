"""True scores for small code models, with proof."""
