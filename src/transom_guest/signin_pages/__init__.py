"""How this machine knows that its browser shows a page to sign in at: for recordings, which have no picture of one.

An extension of our own sees the pages, a host beside the browser writes down that one is shown, and the stream
server looks there while it records. No debugging port, nothing that a page could see.
"""
