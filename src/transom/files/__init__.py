"""Files between viewers and machines."""
