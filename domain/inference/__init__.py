"""Jobs: from acceptance to one terminal event."""
