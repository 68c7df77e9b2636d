//! A stream's Zarr v3 metadata: `zarr.json` of its arrays and of the group, with OME-Zarr 0.5.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::layout::Run;
use super::stream::{About, ChunkRecord};

/// An array and its `zarr.json`.
pub(super) type Array = (String, Value);

pub(super) fn array(run: &Run, chunks: &BTreeMap<u64, ChunkRecord>) -> Array {
    let of_run = || run.chunks.iter().filter_map(|index| chunks.get(index));
    let Some(last) = of_run().next_back() else {
        return (run.name.clone(), Value::Null);
    };
    let (chunk_size, height, width) = (last.chunk_size, last.height, last.width);
    // A shard's unused entries are empty: they read as zeros, and are told apart by what stands here.
    let short: Map<_, _> = of_run()
        .filter(|chunk| chunk.frames < chunk_size)
        .map(|chunk| (run.place(chunk.index).to_string(), json!(chunk.frames)))
        .collect();
    let metadata = json!({
        "zarr_format": 3,
        "node_type": "array",
        "shape": [run.place(last.index) * chunk_size + last.frames, height, width],
        "data_type": "uint8",
        "chunk_grid": { "name": "regular", "configuration": { "chunk_shape": [chunk_size, height, width] } },
        "chunk_key_encoding": { "name": "default", "configuration": { "separator": "/" } },
        "fill_value": 0,
        "codecs": [{
            "name": "sharding_indexed",
            "configuration": {
                "chunk_shape": [1, height, width],
                "codecs": [
                    { "name": "bytes" },
                    { "name": "zstd", "configuration": { "level": 1, "checksum": false } },
                ],
                "index_codecs": [
                    { "name": "bytes", "configuration": { "endian": "little" } },
                    { "name": "crc32c" },
                ],
                "index_location": "end",
            },
        }],
        "dimension_names": ["t", "y", "x"],
        "attributes": { "rheed": { "first_chunk": run.first_chunk, "short_chunks": short } },
    });
    (run.name.clone(), metadata)
}

pub(super) fn group(about: &About, arrays: &[Array]) -> Value {
    let mut attributes = json!({ "rheed": about });
    // OME-Zarr wants one image at least.
    if !arrays.is_empty() {
        let image = |(name, _): &Array| {
            json!({
                "name": format!("{} {name}", about.name),
                "axes": [
                    { "name": "t", "type": "time", "unit": "second" },
                    { "name": "y", "type": "space" },
                    { "name": "x", "type": "space" },
                ],
                "datasets": [{
                    "path": name,
                    "coordinateTransformations": [{ "type": "scale", "scale": [1.0 / about.fps_capture_rate, 1.0, 1.0] }],
                }],
            })
        };
        attributes["ome"] = json!({ "version": "0.5", "multiscales": arrays.iter().map(image).collect::<Vec<_>>() });
    }
    json!({
        "zarr_format": 3,
        "node_type": "group",
        "attributes": attributes,
        // With it, readers need not list the folder, where other files lie too.
        "consolidated_metadata": {
            "kind": "inline",
            "must_understand": false,
            "metadata": arrays.iter().cloned().collect::<Map<_, _>>(),
        },
    })
}
