"""What we need of ComfyUI itself, beyond its node API: its process, its folders, its clients."""
