"""The sign-in agent: runs a provider's own tool, shows where to sign in, seals what the tool saves.

`flow.py` decides (events in, commands out); `run.py` does; `agent.py` speaks with the controller.
"""
