"""Read models: tables, and folds of recorded events into them."""
