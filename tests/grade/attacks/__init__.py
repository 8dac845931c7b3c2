"""Programs that try to be graded better than they are, or to hurt whoever grades them."""
