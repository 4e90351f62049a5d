"""What runs in the server of the local AWS: corrections of MiniStack, and what it lacks.

`hypercorn_config.py` imports it into MiniStack's process, whose environment has not what the rest of lib
needs: of lib it imports itself, and what of `lib/base` needs nothing but Python.
"""
