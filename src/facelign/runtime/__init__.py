"""One module an engine: the only places where engines are opened."""
