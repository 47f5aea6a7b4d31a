"""PyPI's comfy-script: python script.py URL workflow.json folder. It makes a script of the workflow and runs that."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from comfy_script import runtime
from comfy_script.runtime import nodes
from comfy_script.transpile import WorkflowToScriptTranspiler

url, workflow, folder = sys.argv[1:]


async def main() -> None:
    runtime.queue.watch_display(False)
    async with runtime.Workflow() as made:
        exec(script, vars(nodes))
    made.task.add_progress_callback(lambda at: print(json.dumps({"progress": [at.value, at.max]})))
    results = await made.task
    for number, result in enumerate(results):
        for picture in await images(result):
            picture.save(Path(folder) / f"{number}.pixels.png")
    if not results:
        print(json.dumps({"refused": "no result"}))


async def images(result: Any) -> list[Any]:
    return list(await result) if type(result).__name__ == "ImageBatchResult" else []


runtime.load(url, save_script_source=False)
script = WorkflowToScriptTranspiler(Path(workflow).read_text(encoding="utf-8"), url).to_script()
# comfy-script 0.6.1 puts nodes whose outputs nobody takes into comments; since ComfyUI 0.33.0 SaveImage has an output.
script = script.replace("# _ = SaveImage(", "SaveImage(")
asyncio.run(main())
