"""The figures of the source articles, row by row: what is measured, and how it is told."""
