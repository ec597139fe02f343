"""The controller: HTTP API, pages, state and the reconcile loop. Never in the media path."""
