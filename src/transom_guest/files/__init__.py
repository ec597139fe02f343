"""Files of a viewer's, up and down: a process for each transfer, so that none can hurt what else runs."""
