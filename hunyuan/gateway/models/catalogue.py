"""The families of the endpoint, as the vendor's model pages describe them.

Where a page's "Model ID" differs from the value its own example sends, the example's value stands here. What no page
says is left open (no maximum, no bound). A studio adds or corrects entries in a file, see studio_file.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ...limits import CREDITS_PER_TASK, HUNYUAN_MODEL, MAX_INPUT_IMAGES, MAX_PROMPT_CHARACTERS, MAX_SEED, MOST_IMAGES
from .family import Family, ImageField, Parameter, Price

STUDIO_FILES = ("models.toml", "models.json")  # beside the settings, see studio_file.py

_WIDE = ("1:1", "4:3", "3:4", "16:9", "9:16")


def _count(most: int | None) -> Parameter:
    return Parameter("num_images", "number", default=1, least=1, most=most, per_image=True)


def _by(name: str, **credits: int) -> tuple[Price, ...]:
    return tuple(Price(amount, ((name, value),)) for value, amount in credits.items())


def _by_model(credits: Mapping[str, int]) -> tuple[Price, ...]:
    return tuple(Price(amount, (("model", model),)) for model, amount in credits.items())


# Hunyuan Image 3's own nodes build its requests (sizes by pixel, seeds); the entry tells what it takes and costs.
HUNYUAN = Family(
    key=HUNYUAN_MODEL,
    node="HunyuanGenerate",
    title="Hunyuan Image 3",
    models=(HUNYUAN_MODEL,),
    prices=(Price(CREDITS_PER_TASK),),
    parameters=(
        Parameter("type", choices=("text-to-image", "edit")),
        Parameter("size", "text", default="1024*1024"),
        Parameter("seed", "seed", default=-1, least=0, most=MAX_SEED),
    ),
    images=(ImageField("images", MAX_INPUT_IMAGES, inputs=2),),
    prompt_most=MAX_PROMPT_CHARACTERS,
)

FLUX_2 = Family(
    key="flux-2",
    node="HunyuanFlux2",
    title="FLUX.2",
    models=("flux-2",),
    prices=(
        Price(5, (("type", "pro"), ("resolution", "1K"))),
        Price(7, (("type", "pro"), ("resolution", "2K"))),
        Price(14, (("type", "flex"), ("resolution", "1K"))),
        Price(24, (("type", "flex"), ("resolution", "2K"))),
    ),
    parameters=(
        Parameter("type", choices=("pro", "flex")),
        Parameter("resolution", choices=("1K", "2K")),
        Parameter("aspect_ratio", choices=("1:1", "16:9", "9:16")),  # the page gives no full list
    ),
    images=(ImageField("input_urls", 8, inputs=4),),
    prompt_least=3,
    aliases=("flux", "flux.2", "black forest labs"),
)

GROK_IMAGINE = Family(
    key="grok-imagine",
    node="HunyuanGrokImagine",
    title="Grok Imagine",
    models=("grok-imagine/text-to-image",),
    prices=(Price(5),),
    aliases=("grok", "xai", "aurora"),
)

GROK_UPSCALE = Family(
    key="grok-upscale",
    node="HunyuanGrokUpscale",
    title="Grok Imagine Upscale",
    models=("grok-imagine/upscale",),
    prices=(Price(12),),
    parameters=(Parameter("task_id", "task", choices=("grok-imagine/text-to-image", "grok-imagine/upscale")),),
    aliases=("grok", "upscale", "xai"),
)

KLING_IMAGE_O1 = Family(
    key="kling-image-o1",
    node="HunyuanKlingImageO1",
    title="Kling Image O1",
    models=("kling-image-o1",),
    prices=(Price(6, (("type", "image-to-image"),)), Price(16, (("type", "ai-multi-shot"),))),
    parameters=(
        Parameter("type", choices=("image-to-image", "ai-multi-shot")),
        Parameter("aspect_ratio", choices=("1:1", "16:9", "9:16", "4:3", "3:4", "3:2", "2:3", "21:9", "auto")),
        Parameter("resolution", choices=("1k", "2k")),
        _count(9),
    ),
    images=(ImageField("images", 10, inputs=4),),
    aliases=("kling", "kuaishou", "可灵"),
)

IDEOGRAM_V3 = Family(
    key="ideogram-v3",
    node="HunyuanIdeogramV3",
    title="Ideogram V3",
    models=("ideogram-v3-turbo", "ideogram-v3-balanced", "ideogram-v3-quality"),
    prices=_by_model({"ideogram-v3-turbo": 8, "ideogram-v3-balanced": 13, "ideogram-v3-quality": 20}),
    parameters=(
        Parameter("aspect_ratio", choices=("1:1", "16:9", "9:16", "4:3", "3:4")),
        Parameter("style", choices=("Auto", "General", "Realistic", "Design")),
    ),
    images=(
        ImageField("image", 1, is_list=False),
        ImageField("mask_image", 1, is_list=False, input="mask", is_mask=True, needs="image"),
        ImageField("reference_images", input="reference_images"),
    ),
    aliases=("ideogram", "inpaint", "text in images"),
)

IDEOGRAM_V4 = Family(
    key="ideogram-v4",
    node="HunyuanIdeogramV4",
    title="Ideogram V4",
    models=("ideogram-v4",),
    prices=(Price(12),),
    parameters=(
        Parameter("size", choices=("1:1", "16:9", "9:16", "3:4", "4:3", "3:2", "2:3", "9:21", "21:9")),
        Parameter("rendering_speed", choices=("BALANCED", "TURBO", "QUALITY")),
        Parameter("output_format", choices=("png", "jpeg", "webp")),
    ),
    aliases=("ideogram", "text in images"),
)

IMAGEN_4 = Family(
    key="imagen-4",
    node="HunyuanImagen4",
    title="Imagen 4",
    models=("imagen4-fast", "imagen4", "imagen4-ultra"),
    prices=_by_model({"imagen4-fast": 4, "imagen4": 8, "imagen4-ultra": 12}),
    parameters=(
        Parameter("aspect_ratio", choices=_WIDE),
        Parameter("negative_prompt", "text"),
        _count(None),
        Parameter("seed", "seed", default=-1, least=0, most=MAX_SEED),
    ),
    aliases=("imagen", "google"),
)

GPT_IMAGE_15 = Family(
    key="gpt-image-1-5",
    node="HunyuanGPTImage15",
    title="GPT Image 1.5",
    models=("gpt-image-1-5",),
    prices=_by("quality", medium=10, high=28),
    parameters=(
        Parameter("aspect_ratio", choices=("1:1", "2:3", "3:2")),
        Parameter("quality", choices=("medium", "high")),
    ),
    images=(ImageField("input_urls", inputs=4),),
    aliases=("gpt", "openai", "gpt-image"),
)

SEEDREAM_45 = Family(
    key="seedream-4-5",
    node="HunyuanSeedream45",
    title="Seedream 4.5",
    models=("seedream/4.5-text-to-image",),
    edit_model="seedream/4.5-edit",
    prices=(Price(12),),
    parameters=(
        Parameter("aspect_ratio", choices=("1:1", "4:3", "3:4", "16:9", "9:16", "2:3", "3:2", "21:9")),
        Parameter("quality", choices=("basic", "high")),
    ),
    images=(ImageField("image_urls", inputs=4),),
    aliases=("seedream", "bytedance", "doubao", "即梦", "豆包"),
)

COGVIEW_4 = Family(
    key="cogview-4",
    node="HunyuanCogView4",
    title="CogView 4",
    models=("cogview-4",),
    prices=(Price(4),),
    parameters=(
        Parameter("size", choices=("1024*1024", "768*1344", "864*1152")),  # the page ends its list with "etc."
        Parameter("quality", choices=("hd", "standard")),
    ),
    prompt_most=1000,
    aliases=("cogview", "zhipu", "智谱"),
)

RECRAFT_V4 = Family(
    key="recraft-v4",
    node="HunyuanRecraftV4",
    title="Recraft V4",
    models=("recraft-v4-text-to-image", "recraft-v4-pro-text-to-image"),  # an older page: recraft-v4-text-to-image-pro
    prices=_by_model({"recraft-v4-text-to-image": 10, "recraft-v4-pro-text-to-image": 60}),
    parameters=(Parameter("image_size", choices=("1024x1024",)),),
    aliases=("recraft",),
)

FAMILIES = (
    HUNYUAN, FLUX_2, GROK_IMAGINE, GROK_UPSCALE, KLING_IMAGE_O1, IDEOGRAM_V3, IDEOGRAM_V4, IMAGEN_4, GPT_IMAGE_15,
    SEEDREAM_45, COGVIEW_4, RECRAFT_V4,
)  # fmt: skip


@dataclass(frozen=True)
class Catalogue:
    """The families that are known here. mistakes: a sentence for each thing in the studio's file that was not used."""

    families: tuple[Family, ...] = FAMILIES
    mistakes: tuple[str, ...] = ()
    _by_key: dict[str, Family] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_key", {each.key: each for each in self.families})

    @property
    def others(self) -> Iterator[Family]:
        """All but Hunyuan Image 3, whose nodes are its own."""
        return (each for each in self.families if each.key != HUNYUAN.key)

    def get(self, key: str) -> Family | None:
        """The family of this key."""
        return self._by_key.get(key)

    def of_model(self, model: str) -> Family | None:
        """The family that sends this value of `model`."""
        return next((each for each in self.families if model in each.all_models), None)

    def most_images(self, model: str) -> int:
        """How many images of one task are fetched."""
        family = self.of_model(model)
        return MOST_IMAGES if family is None else max(1, min(family.most_images, MOST_IMAGES))
