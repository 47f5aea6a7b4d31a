"""IMAGE tensors, files and thumbnails: the one place with torch, numpy and Pillow."""
