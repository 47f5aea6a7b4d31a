"""What a running node shows, and how it hears ComfyUI's interrupt."""
