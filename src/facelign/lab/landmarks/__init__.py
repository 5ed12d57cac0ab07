"""How far points lie from where people put them."""
