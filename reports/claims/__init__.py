"""The source paper's claims and what a study says of them."""
