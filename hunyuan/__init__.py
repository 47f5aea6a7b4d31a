"""The library under the nodes: the gateway's API, the money, the files.

Imports no ComfyUI, no torch and nothing of `nodes/`: it can be used and tested by itself.
"""
