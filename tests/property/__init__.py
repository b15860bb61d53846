"""Laws under generated histories."""
