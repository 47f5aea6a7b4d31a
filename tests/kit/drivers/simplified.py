"""PyPI's comfy-api-simplified: python simplified.py URL workflow.json folder. It tells of no progress."""

import json
import sys
from pathlib import Path

from comfy_api_simplified import ComfyApiWrapper, ComfyWorkflowWrapper
from comfy_api_simplified.exceptions import ComfyApiError

url, workflow, folder = sys.argv[1:]
try:
    images = ComfyApiWrapper(url).queue_and_wait_images(ComfyWorkflowWrapper(workflow), "Save Image")
except (ComfyApiError, KeyError) as error:  # or it looks for the outputs of a run that has none
    print(json.dumps({"refused": str(error)}))
else:
    for name, content in images.items():
        (Path(folder) / f"{name}.received").write_bytes(content)
