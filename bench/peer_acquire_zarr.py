"""acquire-zarr, writing the same frames as a local Zarr array: shards of as many frames, compressed with zstd level 1."""

import os
import time

from peer import answer, arguments, cpu_ns, forget_peak, load_frames, memory

import acquire_zarr as zarr

given = arguments()
frames = load_frames(given)
resident = memory("VmRSS")
forget_peak()


def dimension(name, kind, size, chunk, shard):
    return zarr.Dimension(name=name, kind=kind, array_size_px=size, chunk_size_px=chunk, shard_size_chunks=shard)


compression = zarr.CompressionSettings(
    compressor=zarr.Compressor.BLOSC1, codec=zarr.CompressionCodec.BLOSC_ZSTD, level=1, shuffle=0
)
array = zarr.ArraySettings(
    data_type=zarr.DataType.UINT8,
    compression=compression,
    dimensions=[
        dimension("t", zarr.DimensionType.TIME, 0, 1, given.chunk),
        dimension("y", zarr.DimensionType.SPACE, given.height, given.height, 1),
        dimension("x", zarr.DimensionType.SPACE, given.width, given.width, 1),
    ],
)
settings = zarr.StreamSettings(arrays=[array], store_path=os.path.join(given.folder, "frames.zarr"))
stream = zarr.ZarrStream(settings)

append_ns = []
cpu_before, begin = cpu_ns(), time.monotonic_ns()
for number in range(given.chunk * given.chunks):
    frame = frames[number % len(frames)]
    called = time.monotonic_ns()
    stream.append(frame)
    append_ns.append(time.monotonic_ns() - called)
stream.close()
took, cpu = time.monotonic_ns() - begin, cpu_ns() - cpu_before

answer(
    took_ns=took,
    cpu_ns=cpu,
    raw_bytes=given.chunk * given.chunks * given.width * given.height,
    grown_bytes=memory("VmHWM") - resident,
    append_ns=append_ns,
)
