"""The root helper: the one process with rights, a few typed verbs over a unix socket."""
