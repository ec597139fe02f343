"""What viewers do with keyboard and pointer: parsed strictly, decided purely, acted out by XTEST."""
