"""What the stream and the input need of Xlib, by ctypes: small modules, one extension each."""
