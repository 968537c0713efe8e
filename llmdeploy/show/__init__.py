"""The plan as a picture: which GPU holds what, in a terminal and as a page for a browser."""
