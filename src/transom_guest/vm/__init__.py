"""What only a virtual machine has: a config drive, and a small part that runs as root. Standard library only."""
