"""Opens a stream's folder with zarr-python alone and compares every frame with what was sent.

    check_group.py MANIFEST     {"group", "fps", "shapes": {array: shape}, "chunks": [{"array", "at", "file", "shape"}]}
"""

import json
import sys
import warnings

import numpy
import zarr

# A reader that has to be told to look away is not content.
warnings.simplefilter("error")

with open(sys.argv[1]) as file:
    manifest = json.load(file)

group = zarr.open_group(manifest["group"], mode="r")
arrays = dict(group.arrays())
assert {name: list(array.shape) for name, array in arrays.items()} == manifest["shapes"], arrays

unread = {name: numpy.ones(array.shape[0], bool) for name, array in arrays.items()}
frames = 0
for chunk in manifest["chunks"]:
    sent = numpy.fromfile(chunk["file"], numpy.uint8).reshape(chunk["shape"])
    span = slice(chunk["at"], chunk["at"] + len(sent))
    assert (arrays[chunk["array"]][span] == sent).all(), chunk
    unread[chunk["array"]][span] = False
    frames += len(sent)
for name, array in arrays.items():
    assert array.dtype == numpy.uint8 and array.metadata.dimension_names == ("t", "y", "x"), array
    assert not array[:][unread[name]].any(), f"{name}: what was never sent does not read as zeros"
    alone = zarr.open_array(f"{manifest['group']}/{name}", mode="r")
    assert (alone[:] == array[:]).all() and alone.attrs.asdict() == array.attrs.asdict(), name

ome = group.attrs["ome"]
assert ome["version"] == "0.5"
assert [image["datasets"][0]["path"] for image in ome["multiscales"]] == list(manifest["shapes"])
for image in ome["multiscales"]:
    assert [(axis["name"], axis["type"]) for axis in image["axes"]] == [("t", "time"), ("y", "space"), ("x", "space")]
    assert image["axes"][0]["unit"] == "second"
    scale = {"type": "scale", "scale": [1 / manifest["fps"], 1.0, 1.0]}
    assert image["datasets"][0]["coordinateTransformations"] == [scale]

print(f"{frames} frames in {len(arrays)} arrays")
