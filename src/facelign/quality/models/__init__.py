"""One file a learned quality measure."""
