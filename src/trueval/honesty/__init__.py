"""What refuses or stamps a number."""
