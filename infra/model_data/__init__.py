"""What is known of models and their prices: generated data, and how it is made and read."""
