"""Tables of finished runs, as other programs write them."""
