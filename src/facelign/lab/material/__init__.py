"""What a measurement is made of: vectors of named people, comparisons, timings."""
