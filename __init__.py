"""ComfyUI's door to Hunyuan Image 3: what it loads, and where the page's part lies."""

WEB_DIRECTORY = "./web"

__all__ = ["WEB_DIRECTORY"]

if __package__:  # not when a test runner imports the folder by itself
    from .nodes import comfy_entrypoint, stands_aside

    __all__ += ["comfy_entrypoint"]
    if stands_aside():  # another copy's page is loaded already
        del WEB_DIRECTORY
        __all__.remove("WEB_DIRECTORY")
