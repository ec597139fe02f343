"""One small process per machine, outside it: its parent, and the holder of its three sockets."""
