"""The models of the endpoint, one declarative entry a family. Light: read while ComfyUI loads the pack."""
