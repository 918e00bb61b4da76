"""No documentation at run time: what writes it is left out."""
