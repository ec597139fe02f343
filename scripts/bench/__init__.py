"""The stream's benchmark: peers, one black-box harness, figures."""
