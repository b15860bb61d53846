"""Models, offers and price books."""
