"""The revisions in order; what one of them did is never changed afterwards."""
