"""Files of the user's, by format, checked before anything is made of them."""
