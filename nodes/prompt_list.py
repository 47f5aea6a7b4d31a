"""HunyuanPromptList: one text to a list of prompts. It costs nothing and asks nobody."""

from __future__ import annotations

from comfy_api.latest import io

from . import schema as parts


class HunyuanPromptList(io.ComfyNode):
    """text → list of STRING and how many; what hangs on `prompts` runs once for each, at the same time."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return parts.schema(
            node_id="HunyuanPromptList",
            display_name="Hunyuan Image 3 Prompt List",
            category=parts.CATEGORY,
            description="Makes a list of prompts from one text: lines, CSV or JSON. Costs no credits.",
            inputs=[
                io.String.Input(
                    "text",
                    multiline=True,
                    default="",
                    tooltip="One prompt a line; or CSV or JSON with a column named prompt.",
                ),
                io.String.Input(
                    "separator",
                    default="",
                    optional=True,
                    tooltip="For prompts of several lines: what stands between them, such as ---. "
                    "\\n\\n is an empty line. Empty: one prompt a line.",
                ),
                io.Boolean.Input(
                    "skip_empty", default=True, optional=True, tooltip="On: empty lines and cells are left out."
                ),
            ],
            outputs=[
                io.String.Output(
                    "prompts",
                    display_name="prompts",
                    is_output_list=True,
                    tooltip="A list: what hangs on it runs once for each prompt.",
                ),
                io.Int.Output("count", display_name="count", tooltip="How many prompts there are."),
            ],
            search_aliases=["hunyuan", "prompts", "batch", "csv", "混元", "提示词列表"],
        )

    @classmethod
    def validate_inputs(cls, text: str | None = None) -> bool | str:
        """Refuses an empty text that stands in the graph, when the prompt is queued."""
        from .prompt_checks import text_verdict

        return text_verdict(text)

    @classmethod
    def execute(cls, text: str, separator: str = "", skip_empty: bool = True) -> io.NodeOutput:
        from . import input_values as values
        from .prompt_table import read_prompts
        from .status.run_events import in_the_users_language

        with in_the_users_language():
            prompts = read_prompts(
                values.text("text", text), values.text("separator", separator), values.flag("skip_empty", skip_empty)
            )
        return io.NodeOutput(prompts, len(prompts))
