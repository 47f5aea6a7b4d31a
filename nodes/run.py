"""What the task nodes do when they run: submit, wait, convert. Everything slow happens on the background loop."""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from comfy_api.latest import io

from ..hunyuan.errors import HunyuanError, InvalidRequestError, InvalidTaskIdError
from ..hunyuan.jobs.handle import Collected, Handle
from ..hunyuan.jobs.job import Options
from ..hunyuan.journal.records import RunContext, TaskRow
from ..hunyuan.sentences import say, together
from . import png_info
from .comfyui.prompt_origin import running_user
from .comfyui.submitter import is_page, submitter
from .input_values import MAX_TASK_IDS, choice, flag, split_ids, text, whole
from .known_ids import known_ids
from .requests import Prepared
from .runtime import Runtime, not_to_keep, runtime
from .schema import BLOCK, MAX_TIMEOUT_S, RAISE
from .status.reporting import Outcome, info_json, size_notes
from .status.run_events import tell_failure
from .status.texts import translate

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Run:
    """How a node runs: what of its inputs is no part of the request."""

    wait: bool
    timeout_s: float
    on_failure: str
    reuse: bool
    extra_pnginfo: object = None  # ComfyUI's, see png_info

    def checked(self) -> Run:
        """Of the types the node declares, whatever was linked. Raises InvalidRequestError."""
        return Run(
            flag("wait", self.wait),
            whole("timeout_s", self.timeout_s, 1, MAX_TIMEOUT_S),
            choice("on_failure", self.on_failure, (RAISE, BLOCK)),
            flag("reuse", self.reuse),
            self.extra_pnginfo,
        )


async def create_and_collect(run: Run, build: Callable[[Runtime], Prepared]) -> io.NodeOutput:
    """Creates what `build` asks for (blocking, on a worker) and gives the images, or with wait = False the ids."""
    try:
        run = run.checked()
        here = await runtime()
    except HunyuanError as error:
        return _refused(run, error)
    context = _context(here)
    try:
        prepared, handles = await _submit(here, build, Options(context, run.reuse, run.timeout_s))
    except HunyuanError as error:
        return _failed(run, [error])
    if prepared.seed_given == -1:
        not_to_keep()[context.node_id] += 1
    seeds = [request.seed for request, _ in prepared.requests]
    prices = [request.credits for request, _ in prepared.requests]
    with here.runner.deliveries.during(handles if run.wait else []):
        outcomes = await _wait_for(here, context, handles, seeds, prices, run.wait)
        return await _finish(here, run, context, outcomes, prepared.notes)


async def _submit(
    here: Runtime, build: Callable[[Runtime], Prepared], options: Options
) -> tuple[Prepared, list[Handle]]:
    """Builds and submits in one go on a worker: a synchronous node may hold this loop before it turns again."""
    handles: list[Handle] = []
    left = threading.Event()

    def begin() -> Prepared:
        prepared = build(here)
        user = options.context.user or ""
        requests = [(replace(request, user=user), inputs) for request, inputs in prepared.requests]
        if not left.is_set():
            handles.extend(here.runner.submit(requests, options))
            if left.is_set():
                _let_go(handles)
        return prepared

    try:
        return await here.run(begin), handles
    except BaseException:
        left.set()
        _let_go(handles)
        raise


def _let_go(handles: Sequence[Handle]) -> None:
    for handle in handles:
        handle.detach()


async def collect_by_id(run: Run, task_ids: str) -> io.NodeOutput:
    """Gives the images of tasks by their ids (see split_ids); all are asked for at once."""
    try:
        run = run.checked()
        given, here = text("task_ids", task_ids), await runtime()
        known = await here.run(known_ids, given, here)
    except HunyuanError as error:
        return _refused(run, error)
    context = _context(here)
    options = Options(context, True, run.timeout_s)
    try:
        ids = split_ids(given, known)
        if not ids:
            raise InvalidTaskIdError(say("task_ids is empty."), do=say("Type task ids, one a line, or link task_ids."))
        if len(ids) > MAX_TASK_IDS:
            raise InvalidRequestError(
                say("At most {most} task ids at once, got {count}.", most=MAX_TASK_IDS, count=len(ids))
            )
        handles = [_attach(here, each, options, known) for each in ids]
    except HunyuanError as error:
        return _failed(run, [error])
    with here.runner.deliveries.during(handles):
        outcomes = await _wait_for(here, context, handles, [None] * len(handles), [0] * len(handles), wait=True)
        return await _finish(here, run, context, outcomes, [])


def _attach(here: Runtime, task_id: str, options: Options, known: Collection[str]) -> Handle:
    try:
        return here.runner.attach(task_id, options, known=task_id in known)
    except InvalidTaskIdError as error:
        handle = Handle(options.timeout_s)
        handle.fail(error)
        return handle


def run_mark(seed: int | None) -> str:
    """What ComfyUI compares between runs: changes where the cached output must not be used again.

    That is for seed -1 (also a linked one), and after a failure that `block` or a partial success let pass.
    """
    return secrets.token_hex(8) if seed == -1 else str(not_to_keep()[_node_id()])


def _node_id() -> str:
    from comfy_execution.utils import get_executing_context

    context = get_executing_context()
    return context.node_id if context else ""


def _context(here: Runtime) -> RunContext:
    from comfy_execution.utils import get_executing_context

    context = get_executing_context()
    prompt_id, node_id = (context.prompt_id, context.node_id) if context else ("", "")
    return RunContext(prompt_id, node_id, here.session, running_user())


async def _wait_for(
    here: Runtime,
    context: RunContext,
    handles: Sequence[Handle],
    seeds: Sequence[int | None],
    prices: Sequence[int],
    wait: bool,
) -> list[Outcome]:
    """Waits for all; an interrupt, or another node's failure, lets go of them and passes on."""
    futures = [asyncio.wrap_future(handle.done if wait else handle.created) for handle in handles]
    try:
        async with here.boards.join(context, handles, prices, wait=wait) as board:
            await board.wait(futures)
    except BaseException:
        _let_go(handles)
        raise
    finally:
        for future in futures:
            future.cancel()
    return [Outcome.of(future, seed, handle) for future, seed, handle in zip(futures, seeds, handles, strict=True)]


async def _finish(
    here: Runtime, run: Run, context: RunContext, outcomes: Sequence[Outcome], notes: list[str]
) -> io.NodeOutput:
    failures = [outcome.error for outcome in outcomes if outcome.error is not None]
    for error in failures:
        if not isinstance(error, HunyuanError):
            raise error
    if failures and len(failures) == len(outcomes):
        return _failed(run, [error for error in failures if isinstance(error, HunyuanError)])
    if failures and run.reuse:
        not_to_keep()[context.node_id] += 1  # the next run tries what failed, and takes the rest as it is
    ids = "\n".join(outcome.task_id for outcome in outcomes if outcome.task_id)
    if not run.wait:
        from comfy_execution.graph import ExecutionBlocker

        silent = ExecutionBlocker(None)
        return io.NodeOutput(silent, silent, ids, info_json(outcomes, notes))
    collected = [outcome.collected for outcome in outcomes if outcome.collected is not None]
    images, sized = await here.run(_to_images, collected)
    urls = "\n".join(url for each in collected for url in each.row.urls)
    ui, unshown = await _shown_on_node(here, [each.row for each in collected])
    here.runner.deliveries.mark(_whole(collected))
    png_info.write(run.extra_pnginfo, context.node_id, outcomes)
    return io.NodeOutput(
        images, urls, ids, info_json(outcomes, [*notes, *size_notes(collected), *sized, *unshown]), ui=ui
    )


def _to_images(collected: Sequence[Collected]) -> tuple[torch.Tensor, tuple[str, ...]]:
    from .images.tensors import to_tensor

    images = [image for each in collected for image in each.images]
    return to_tensor(images, [f"task {each.row.storage_id}" for each in collected for _ in each.images])


def _whole(collected: Sequence[Collected]) -> list[TaskRow]:
    """The tasks whose images reach the graph as they are, not cut to the batch's size."""
    size = next(((image.width, image.height) for each in collected for image in each.images), None)
    return [each.row for each in collected if all((image.width, image.height) == size for image in each.images)]


async def _shown_on_node(here: Runtime, rows: Sequence[TaskRow]) -> tuple[dict[str, list[str]] | None, list[str]]:
    """The node's `ui` where a page asked, else None: other clients get what the graph saves, once.

    The names stand apart from `images`, which is what clients and `/api/jobs` count; web/previews.js shows them.
    """
    if not is_page(submitter()):
        return None, []
    names, notes = await here.run(previews, here, rows)
    return {"hunyuan_previews": names}, notes


def previews(here: Runtime, rows: Sequence[TaskRow]) -> tuple[list[str], list[str]]:
    """The originals, as files in ComfyUI's temp directory: nothing is encoded again for the picture on the node.

    Their names, and notes on what could not be shown: no reason to withhold an image that is paid for.
    """
    import shutil
    from pathlib import Path

    import folder_paths

    shown, notes = [], []
    directory = Path(folder_paths.get_temp_directory())
    for row in rows:
        for stored in row.files:
            source = here.results.path_of(stored)
            name = f"hunyuan_{secrets.token_hex(4)}_{source.name}"
            try:
                directory.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, directory / name)
            except FileNotFoundError:
                continue  # evicted in this moment; the node has its pixels all the same
            except OSError as error:
                notes.append(f"The preview could not be written to ComfyUI's temp directory: {error.strerror}.")
                continue
            shown.append(name)
    return shown, notes


def _failed(run: Run, errors: Sequence[HunyuanError]) -> io.NodeOutput:
    """Everything failed: stops the prompt, or with `block` only what hangs on this node."""
    error = errors[0]
    others = len(errors) - 1
    if others:
        ids = ", ".join(each.task_id for each in errors[1:] if each.task_id)
        which = say(" (task ids: {ids})", ids=ids) if ids else ""
        another = next((each.what for each in errors[1:] if each.what != error.what), "")  # no sentence twice
        if another:
            more = say("{n} more failed{which}: {what}", n=others, which=which, what=another)
        else:
            more = say("{n} more failed{which}.", n=others, which=which)
        error = error.but(do=together(error.do, more))
    return _refused(run, error)


def _refused(run: Run, error: HunyuanError) -> io.NodeOutput:
    """Ends the node as `on_failure` says, with a sentence in the user's language."""
    tell_failure(error, stops=run.on_failure != BLOCK)
    error = error.but(translation=translate(error))
    if run.on_failure != BLOCK:
        raise error
    not_to_keep()[_node_id()] += 1  # ComfyUI keeps a blocked output like any other: the next run must try again
    return io.NodeOutput(None, None, None, None, block_execution=str(error))
