"""The WebRTC server of the machine: capture, encode, peers. `python3 -m transom_guest.stream`."""
