"""What one family of models takes, what it costs, and the request that comes of it.

A family is data: adding a model is adding an entry (catalogue.py) or a few lines in the studio's file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from ...errors import InvalidRequestError
from ...limits import MOST_IMAGES
from ...sentences import Sentence, say

if TYPE_CHECKING:
    from ...models import GenerationRequest, ImageSize

Value = str | int

_PIXELS = re.compile(r"(\d{2,5})[*x](\d{2,5})")
KINDS = ("choice", "number", "seed", "text", "task")


@dataclass(frozen=True)
class Parameter:
    """One field of a create's body, beside model, prompt and images.

    kind: `choice` of texts, `number`, `seed` (a number; the node draws one for -1), `text` (left out where empty) or
    `task` (the id of an earlier task; choices: the models that one may be of). least, most: of a number; None: no
    bound is documented.
    per_image: it says how many images one task makes, each for the task's price.
    """

    name: str
    kind: str = "choice"
    choices: tuple[str, ...] = ()
    default: Value = ""
    least: int | None = None
    most: int | None = None
    per_image: bool = False

    @property
    def usual(self) -> Value:
        """What is sent where nobody chose."""
        return self.choices[0] if self.kind == "choice" and self.default == "" and self.choices else self.default


@dataclass(frozen=True)
class ImageField:
    """A field of the body that takes images by URL.

    most: how many; None: no maximum is documented. is_list: the body holds a list, else one text. input: the node's
    input; inputs: how many sockets it has (`image`, `image_2`, …). is_mask: a MASK, white = edit.
    needs: another field without which it means nothing.
    """

    name: str
    most: int | None = None
    is_list: bool = True
    input: str = "image"
    inputs: int = 1
    is_mask: bool = False
    needs: str = ""


class Price(NamedTuple):
    """Credits an image where all of `when` is chosen; `model` may stand there like a parameter."""

    credits: int
    when: tuple[tuple[str, Value], ...] = ()


class Fault(NamedTuple):
    """What of a request the model does not take: a code for the sentence, the input's name, and its figures."""

    code: str
    input: str
    got: object = ""
    most: object = ""
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Family:
    """Models that take the same parameters. key: as the studio's file names it. node: the node's id.

    models: the values of `model` that a user chooses from, the usual one first. edit_model: the one that is sent
    instead where there are input images. prompt_least, prompt_most: characters. prices: the first that fits.
    most_images: of one task that are fetched.
    """

    key: str
    node: str
    title: str
    models: tuple[str, ...]
    prices: tuple[Price, ...]
    parameters: tuple[Parameter, ...] = ()
    images: tuple[ImageField, ...] = ()
    prompt_least: int = 1
    prompt_most: int = 5000  # the general documentation's
    most_images: int = MOST_IMAGES
    edit_model: str = ""
    aliases: tuple[str, ...] = field(default=(), compare=False)

    @property
    def all_models(self) -> tuple[str, ...]:
        """Every value of `model` that it may send."""
        return (*self.models, *([self.edit_model] if self.edit_model else []))

    def parameter(self, kind: str) -> Parameter | None:
        """The parameter of this kind, if it has one."""
        return next((each for each in self.parameters if each.kind == kind), None)

    def image_field(self, name: str) -> ImageField | None:
        """The image field of this name."""
        return next((each for each in self.images if each.name == name), None)

    def chosen(self, values: Mapping[str, object]) -> dict[str, object]:
        """Every parameter's value: the given one, else the usual."""
        return {each.name: values.get(each.name, each.usual) for each in self.parameters}

    def sends(self, model: str, image_count: int) -> str:
        """The value of `model` for so many input images."""
        return self.edit_model if self.edit_model and image_count else model

    def images_of(self, values: Mapping[str, object]) -> int:
        """How many images one task makes."""
        found = 1
        for each in self.parameters:
            value = values.get(each.name, each.usual)
            if each.per_image and isinstance(value, int):
                found *= max(1, value)
        return found

    def credits(self, model: str, values: Mapping[str, object]) -> int:
        """What one task costs. Raises InvalidRequestError where the entry names no price for it."""
        chosen = {**self.chosen(values), "model": model}
        for price in self.prices:
            if all(chosen.get(name) == wanted for name, wanted in price.when):
                return price.credits * self.images_of(values)
        raise InvalidRequestError(
            say("The catalogue has no price for this choice of {title}.", title=self.title),
            do=say("Add one to models.json or models.toml in the pack's folder of the user directory."),
        )

    def faults(
        self, prompt: str, model: str, values: Mapping[str, object], images: Mapping[str, int]
    ) -> Iterator[Fault]:
        """What the model does not take of these values; images: how many each image field has."""
        if not self.prompt_least <= len(prompt) <= self.prompt_most:
            few = len(prompt) < self.prompt_least
            limit = self.prompt_least if few else self.prompt_most
            yield Fault("prompt_short" if few else "prompt_long", "prompt", len(prompt), limit)
        if model not in self.all_models:
            yield Fault("choice", "model", model, choices=self.models)
        for each in self.parameters:
            if each.name in values:
                yield from _faults_of(each, values[each.name])
        for name, count in images.items():
            yield from self._image_faults(name, count, images)

    def _image_faults(self, name: str, count: int, images: Mapping[str, int]) -> Iterator[Fault]:
        found = self.image_field(name)
        if found is None:
            yield Fault("no_images", name, count)
        elif found.most is not None and count > found.most:
            yield Fault("many_images", found.input, count, found.most)
        elif count and found.needs and not images.get(found.needs):
            wanted = self.image_field(found.needs)
            yield Fault("needs_image", found.input, most=wanted.input if wanted else found.needs)

    def request(
        self,
        prompt: str,
        values: Mapping[str, object],
        *,
        model: str = "",
        images: Sequence[tuple[str, str]] = (),
        variation: int = 0,
    ) -> GenerationRequest:
        """One paid task. images: pairs of an image field and the image's identity, in order.

        Raises InvalidRequestError with the first fault.
        """
        counts: dict[str, int] = {}
        for name, _ in images:
            counts[name] = counts.get(name, 0) + 1
        model = self.sends(model or self.models[0], len(images))
        if prompt.strip():  # else GenerationRequest says it better
            for fault in self.faults(prompt, model, self.chosen(values), counts):
                raise InvalidRequestError(_words(self, fault))
        chosen = self.chosen(values)
        sent = tuple((name, value) for name, value in chosen.items() if value != "" and isinstance(value, (str, int)))
        seed = self.parameter("seed")
        number = chosen[seed.name] if seed else None
        from ...models import GenerationRequest  # not at the start, which reads the entries only

        return GenerationRequest(
            type=None,
            prompt=prompt,
            size=_pixels(chosen),
            seed=number if isinstance(number, int) else None,
            model=model,
            images=tuple(identity for _, identity in images),
            parameters=sent,
            image_fields=tuple(name for name, _ in images),
            single_fields=tuple(each.name for each in self.images if not each.is_list),
            credits=self.credits(model, chosen),
            variation=variation,
            choices=self._choices(chosen),
        )

    def _choices(self, chosen: Mapping[str, object]) -> str:
        """What durations are learned by, beside the model."""
        telling = (each.name for each in self.parameters if each.kind == "choice" or each.per_image)
        return " ".join(str(chosen[name]) for name in telling)


def _faults_of(parameter: Parameter, value: object) -> Iterator[Fault]:
    name = parameter.name
    if parameter.kind in ("number", "seed"):
        low, high = parameter.least, parameter.most
        if isinstance(value, bool) or not isinstance(value, int):
            yield Fault("number", name, value)
        elif (low is not None and value < low) or (high is not None and value > high):
            bounds = say("at least {low}", low=low) if high is None else say("{low} to {high}", low=low, high=high)
            yield Fault("number", name, value, bounds)
    elif not isinstance(value, str):
        yield Fault("text", name, value)
    elif parameter.kind == "choice" and value not in parameter.choices:
        yield Fault("choice", name, value, choices=parameter.choices)
    elif parameter.kind == "task" and not value:
        yield Fault("no_task", name)


def _pixels(chosen: Mapping[str, object]) -> ImageSize | None:
    """Width and height where a parameter names them."""
    for value in chosen.values():
        match = _PIXELS.fullmatch(value) if isinstance(value, str) else None
        if match:
            from ...models import ImageSize

            return ImageSize(int(match[1]), int(match[2]))
    return None


def _words(family: Family, fault: Fault) -> Sentence:
    shown = repr(fault.got) if isinstance(fault.got, str) else fault.got
    values = {"title": family.title, "input": fault.input, "got": shown, "most": fault.most}
    said = {
        "prompt_short": say("The prompt must be at least {most} characters, got {got}.", **values),
        "prompt_long": say("The prompt must be at most {most} characters for {title}, got {got}.", **values),
        "choice": say(
            "{input} of {title} must be one of {choices}, got {got}.", choices=", ".join(fault.choices), **values
        ),
        "number": say("{input} of {title} must be a whole number {most}, got {got}.", **values)
        if fault.most
        else say("{input} of {title} must be a whole number, got {got}.", **values),
        "text": say("{input} of {title} must be a text, got {got}.", **values),
        "no_task": say("{title} needs the id of an earlier task, got none.", **values),
        "no_images": say("{title} takes no images as {input}.", **values),
        "many_images": say("{title} takes at most {most} images as {input}, got {got}.", **values),
        "needs_image": say("{input} of {title} means nothing without {most}.", **values),
    }
    return said[fault.code]
