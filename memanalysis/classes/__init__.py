"""The class interface: sixteen names that adapt the functions of the packages below. Nothing below imports them."""
