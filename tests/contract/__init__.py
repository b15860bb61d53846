"""Every port's laws against every adapter."""
