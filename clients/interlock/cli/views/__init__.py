"""How messages look to people; what they are to programs is their proto JSON."""
