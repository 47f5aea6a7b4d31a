"""Files that are made to cost memory or time: each in a process of its own under a limit, beside a good file."""

from __future__ import annotations

import io
import json
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 1024 * 2**20  # bytes of address space beyond what is there before the first decode
AS_A_GOOD_ONE = 3.0  # times the processor's time of a good picture of the largest size

WORKER = """
import json, resource, sys, threading, time
from pathlib import Path
from tests.kit.pack import load
images, errors = load("nodes.images.tensors"), load("hunyuan.errors")
thumbnail = load("nodes.images.thumbnail").thumbnail
AT_ONCE = int(sys.argv.pop(1))
good, *files = [Path(name).read_bytes() for name in sys.argv[2:]]
images.decode(good)
there = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (there + int(sys.argv[1]),) * 2)
def spent(work, data):
    start, outcome = time.process_time(), "decoded"
    try:
        work(data)
    except (errors.NotAnImageError, errors.TooLargeError) as error:
        outcome = type(error).__name__
    return time.process_time() - start, outcome
best = min(spent(images.decode, good)[0] for _ in range(3))
def least(work, data):
    first = spent(work, data)
    return first if first[0] < 2 * best else min(first, spent(work, data), spent(work, data))
def each(work):
    return [[seconds / best, outcome] for seconds, outcome in (least(work, data) for data in files)]
told, small = each(images.decode), each(lambda data: thumbnail(data, 64))
at_once, ended = [], []
threads = [threading.Thread(target=lambda d=data: ended.append(spent(images.decode, d)[1])) for data in files * AT_ONCE]
for thread in threads: thread.start()
for thread in threads: thread.join()
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps({"alone": told, "small": small, "ended": ended, "peak": peak, "there": there}))
"""


def measured(folder: Path, *files: bytes, at_once: int = 2) -> dict[str, list[list[object]]]:
    """What became of each file: alone as [times a good one's processor time, outcome], and several of each at once."""
    noise = np.random.default_rng(0).integers(0, 256, (1536, 1536, 3), dtype=np.uint8)
    names = []
    for number, data in enumerate([saved(Image.fromarray(noise), "PNG"), *files]):
        path = folder / f"{number}.bin"
        path.write_bytes(data)
        names.append(str(path))
    command = [sys.executable, "-c", WORKER, str(at_once), str(LIMIT), *names]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=150, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    told: dict[str, list[list[object]]] = json.loads(done.stdout.splitlines()[-1])
    return told


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def sixteen_bits(side: int, colour: int) -> bytes:
    """A PNG of one colour, 16 bits a sample; colour: 0 gray, 2 RGB, 6 RGBA."""
    row = b"\0" + bytes(side * 2 * {0: 1, 2: 3, 6: 4}[colour])
    packer, body = zlib.compressobj(9), b""
    for _ in range(side):
        body += packer.compress(row)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 16, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", body + packer.flush()) + chunk(b"IEND", b"")


def test_many_wide_pictures_at_once_stay_within_memory(tmp_path: Path) -> None:
    told = measured(tmp_path, *(sixteen_bits(side, colour) for side in (4000, 8000) for colour in (0, 2)), at_once=4)
    assert sorted(map(str, told["ended"])) == ["TooLargeError"] * 8 + ["decoded"] * 8, told


def jpeg() -> bytes:
    return saved(Image.new("RGB", (2048, 2048), (90, 120, 30)), "JPEG", progressive=True)


def many_scans() -> bytes:
    """A progressive JPEG whose last scan comes ten thousand times."""
    data = jpeg()
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * 10_000 + data[-2:]


def fill_bytes() -> bytes:
    data = jpeg()
    return data[:2] + b"\xff" * 30_000_000 + data[2:]


def markers_without_a_body() -> bytes:
    data = jpeg()
    return data[:2] + b"\xff\xd0" * 8_000_000 + data[2:]


def extension_markers() -> bytes:
    """Of each Pillow takes two bytes, where others would take a length."""
    data = jpeg()
    return data[:2] + b"\xff\xf0" * 8_000_000 + data[2:]


def empty_chunks() -> bytes:
    data = saved(Image.new("RGB", (8, 8)), "PNG")
    return data[:33] + chunk(b"IDAT", b"") * 1_000_000 + data[33:]


def chunks_before_pixels() -> bytes:
    data = saved(Image.new("RGB", (8, 8)), "PNG")
    return data[:33] + chunk(b"teXt", b"") * 1_000_000 + data[33:]


def gif() -> bytes:
    return saved(Image.new("P", (8, 8)), "GIF")


def blocks_of_one_byte() -> bytes:
    data = gif()
    start = data.index(b",")
    return data[:start] + b"!\xfe" + b"\x01a" * 8_000_000 + b"\0" + data[start:]


def stray_bytes() -> bytes:
    data = gif()
    start = data.index(b",")
    return data[:start] + b"\1" * 16_000_000 + data[start:]


def picture_of_one_byte_blocks() -> bytes:
    data = gif()
    start = data.index(b",") + 11
    return data[:start] + b"\x01\0"[:1] + b"\x04" + b"\x01\x04" * 8_000_000 + data[start:]


def ifd(entries: int, length: int) -> bytes:
    """A TIFF directory in which every entry names the whole block as its value."""
    body = b"II*\0" + struct.pack("<IH", 8, entries)
    for tag in range(entries):
        body += struct.pack("<HHII", tag + 1000, 7, length, 8)
    return (body + bytes(length))[: max(length, len(body))]


def exif_that_names_itself() -> bytes:
    data, block = jpeg(), ifd(5000, 60_100)[:65_000]
    segment = b"Exif\0\0" + block
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + data[2:]


def mpf_that_names_itself() -> bytes:
    data, block = jpeg(), ifd(5000, 60_100)[:65_000]
    segment = b"MPF\0" + block
    return data[:2] + b"\xff\xe2" + struct.pack(">H", len(segment) + 2) + segment + data[2:]


def exif_of_a_png() -> bytes:
    data = saved(Image.new("RGB", (8, 8)), "PNG")
    return data[:33] + chunk(b"eXIf", ifd(60_000, 4_000_000)) + data[33:]


def boxes_without_content() -> bytes:
    return b"\0\0\0\x14ftypavif\0\0\0\0avif" + b"\0\0\0\x08free" * 2_000_000


MADE: list[Callable[[], bytes]] = [
    many_scans,
    fill_bytes,
    markers_without_a_body,
    extension_markers,
    empty_chunks,
    chunks_before_pixels,
    blocks_of_one_byte,
    stray_bytes,
    picture_of_one_byte_blocks,
    exif_that_names_itself,
    mpf_that_names_itself,
    exif_of_a_png,
    boxes_without_content,
]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[list[object]]]:
    return measured(tmp_path_factory.mktemp("hostile"), *(made() for made in MADE), at_once=1)


@pytest.mark.parametrize("made", MADE)
def test_a_file_that_is_made_to_cost_costs_no_more_than_a_picture(
    told: dict[str, list[list[object]]], made: Callable[[], bytes]
) -> None:
    for way in ("alone", "small"):
        times, outcome = told[way][MADE.index(made)]
        assert float(str(times)) < AS_A_GOOD_ONE, (way, told)
        assert outcome in ("decoded", "NotAnImageError")


def test_a_deadline_ends_a_decode_in_its_midst() -> None:
    from tests.kit.pack import load

    decode, errors = load("nodes.images.decode"), load("hunyuan.errors")
    noise = np.random.default_rng(0).integers(0, 256, (4000, 4000), dtype=np.uint8)
    data = saved(Image.fromarray(noise), "PNG", compress_level=1)

    def work(deadline: float) -> float:
        """Of this thread's processor: a machine that stalls makes it no longer."""
        start = time.thread_time()
        with suppress(errors.NotAnImageError):
            decode.read_pixels(data, alpha=False, deadline=deadline)
        return time.thread_time() - start

    with pytest.raises(errors.NotAnImageError, match=r"PNG file of [0-9,]+ bytes was not decoded within"):
        decode.read_pixels(data, alpha=False, deadline=0.0)
    assert work(0.0) < work(600.0) * 0.8


def test_pictures_with_an_exif_block_are_turned_by_it_and_by_xmp_alike() -> None:
    from PIL import ImageOps

    from tests.kit.pack import load

    images = load("nodes.images.tensors")
    corner = Image.new("RGB", (16, 8))
    corner.paste((255, 255, 255), (0, 0, 4, 4))
    for turn in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = turn
        for kind in ("PNG", "JPEG", "WEBP"):
            data = saved(corner, kind, exif=exif.tobytes())
            expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB"))
            assert (images.decode(data).pixels == expected).all(), (kind, turn)
        xmp = f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><r tiff:Orientation="{turn}"/></x:xmpmeta>'.encode()
        data = saved(corner, "JPEG", xmp=xmp)
        expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB"))
        assert (images.decode(data).pixels == expected).all(), turn
