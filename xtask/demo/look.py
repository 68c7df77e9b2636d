"""Reads the demonstration's stream back with zarr, compares it with what the program pushed, and draws it."""

import argparse
import sys
from pathlib import Path

import matplotlib
import numpy as np
import zarr

matplotlib.use("Agg")  # Draws to a file: no window, no display.
from matplotlib import pyplot as plt  # noqa: E402
from matplotlib.patches import Rectangle  # noqa: E402

SCREEN = "#2f9e44"  # The green of a RHEED screen.
INK = "#1f2933"


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("received", type=Path, help="the receiver's data folder, which holds one stream")
    arguments.add_argument("pushed", type=Path, help="the frames that the program pushed, one after another")
    arguments.add_argument("picture", type=Path, help="the PNG to write")
    asked = arguments.parse_args()

    (stream,) = (path.parent for path in asked.received.glob("*/zarr.json"))
    group = zarr.open_group(stream, mode="r")
    frames = group["frames"][:]
    compare(frames, np.fromfile(asked.pushed, np.uint8))
    count, height, width = frames.shape
    print(f"Read back with zarr-python: {count} frames of {width} x {height} pixels, every byte as it was pushed.")
    draw(frames, group.attrs["rheed"]["fps_capture_rate"], asked.picture)


def compare(received, pushed):
    """Ends the program unless the stream is the pushed frames, all of them, in order."""
    pixels = received[0].size
    if pushed.size != received.size:
        sys.exit(f"NOT WHOLE: {pushed.size / pixels:g} frames were pushed, {len(received)} arrived")
    differs = (received.reshape(-1, pixels) != pushed.reshape(-1, pixels)).any(axis=1)
    if differs.any():
        sys.exit(f"NOT WHOLE: {differs.sum()} of {len(received)} frames differ from what was pushed, first number {differs.argmax()}")


def find_specular_spot(frames):
    """Where the picture's brightness varies most, as growth makes the specular spot do: a box around it, in pixels."""
    side = max(4, frames.shape[2] // 25)
    rows, columns = (size // side for size in frames.shape[1:])
    tiles = frames[:, : rows * side, : columns * side].reshape(len(frames), rows, side, columns, side).mean(axis=(2, 4))
    row, column = np.unravel_index(tiles.std(axis=0).argmax(), (rows, columns))
    # The tile holds a part of the spot: centre the box on what varies around it.
    top, left = (max(0, (place - 1) * side) for place in (row, column))
    varies = frames[:, top : top + 3 * side, left : left + 3 * side].std(axis=0)
    ys, xs = np.nonzero(varies > varies.max() / 2)
    return max(0, top + round(ys.mean() - side / 2)), max(0, left + round(xs.mean() - side / 2)), side


def draw(frames, fps, path):
    top, left, side = find_specular_spot(frames)
    intensity = frames[:, top : top + side, left : left + side].mean(axis=(1, 2))
    seconds = np.arange(len(frames)) / fps

    plt.rcParams.update({"font.size": 10, "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": INK})
    figure, (picture, curve) = plt.subplots(1, 2, figsize=(12, 4.4), width_ratios=(1, 1.25), layout="constrained")
    figure.suptitle("Simulated RHEED, as the receiver holds it", fontsize=13, fontweight="bold")

    shown = picture.imshow(frames[0], cmap=screen_colours(), vmin=0, vmax=255)
    picture.add_patch(Rectangle((left, top), side, side, fill=False, edgecolor="white", linewidth=1.2))
    below = {"xy": (left + side / 2, top + side), "xytext": (0, -6), "textcoords": "offset points", "ha": "center", "va": "top"}
    picture.annotate("specular spot", color="white", **below)
    picture.set(title="First frame", xlabel="x (pixels)", ylabel="y (pixels)")
    figure.colorbar(shown, ax=picture, label="intensity (8 bits)", shrink=0.82, ticks=[0, 64, 128, 192, 255])

    curve.plot(seconds, intensity, color=SCREEN, linewidth=1.6)
    curve.set(title="Specular spot: growth oscillations", xlabel="time (s)", ylabel="mean intensity (8 bits)")
    curve.set_xlim(0, len(frames) / fps)
    curve.grid(color="#e4e7eb")
    curve.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)


def screen_colours():
    return matplotlib.colors.LinearSegmentedColormap.from_list("screen", ["black", "#0b3d1a", SCREEN, "#d3f9d8", "white"])


if __name__ == "__main__":
    main()
