"""What the peers' programs share: the arguments, the frames, and this process's memory and CPU, as bench.h has them."""

import argparse
import json
import resource

import numpy


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--frames", required=True, help="a file of frames, 8 bits a pixel")
    parser.add_argument("--width", type=int, required=True)
    parser.add_argument("--height", type=int, required=True)
    parser.add_argument("--chunk", type=int, required=True, help="frames a chunk")
    parser.add_argument("--chunks", type=int, required=True, help="how many of them; the frames come round again")
    parser.add_argument("--folder", required=True, help="where files may be put")
    parser.add_argument("--rate", type=float, help="frames a second: at a camera's pace, each chunk confirmed before the next")
    return parser.parse_args()


def chunk_at(frames, number, size):
    """The chunk of that number: a view, or where the frames come round again, a copy."""
    begin = number * size % len(frames)
    if begin + size <= len(frames):
        return frames[begin : begin + size]
    return frames[numpy.arange(begin, begin + size) % len(frames)]


def load_frames(given):
    return numpy.fromfile(given.frames, dtype=numpy.uint8).reshape(-1, given.height, given.width)


def cpu_ns():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return int((used.ru_utime + used.ru_stime) * 1e9)


def memory(line):
    """`VmRSS` is what is resident, `VmHWM` the most that was."""
    with open("/proc/self/status") as status:
        return next(int(text.split()[1]) * 1024 for text in status if text.startswith(line))


def forget_peak():
    with open("/proc/self/clear_refs", "w") as clear:
        clear.write("5")


def answer(**measured):
    print(json.dumps(measured))
