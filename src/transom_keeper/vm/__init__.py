"""What a keeper does for a virtual machine: its drives, its QEMU, its snapshots."""
