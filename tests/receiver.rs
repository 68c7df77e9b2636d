//! What the embedded ingest service promises, over real sockets.
#![cfg(feature = "receiver")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use rheed_stream::receiver::{Discarded, FAULT_GRAMMAR, Receiver, RequestRecord, Settings, StreamRecord};
use serde_json::{Value, json};

const KEY: &str = "a-key-for-tests";
const PATIENCE: Duration = Duration::from_secs(20);

// ---- the protocol -----------------------------------------------------------------------------------------------

#[test]
fn a_stream_lives_as_the_protocol_says() {
    let site = Site::new();
    let receiver = site.start_with(|settings| settings.prefix = "/api/v2/".into());
    assert!(receiver.url().ends_with("/api/v2"), "{}", receiver.url());

    let time = ask(&receiver, "GET", "/gateway/time", Body::None).unwrap();
    assert_eq!(time.header("cache-control"), Some("no-store"));
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64() * 1e3;
    let (came, went) = (&time.json()["receivedAtUnixMs"], &time.json()["transmittedAtUnixMs"]);
    assert!((came.as_f64().unwrap() - now).abs() < 10_000.0 && went.as_f64() >= came.as_f64());

    assert_eq!(ask(&receiver, "GET", "/physical_samples/", Body::None).unwrap().json(), json!([]));
    let added = post(&receiver, "/physical_samples/", json!({"name": " Si wafer 7 "})).json();
    let sample = added["physical_sample_id"].as_str().unwrap();
    let again = post(&receiver, "/physical_samples/", json!({"name": "SI WAFER 7"}));
    assert_eq!((again.status, again.json()), (409, json!({"detail": {"physical_sample_id": sample}})));
    let listed = ask(&receiver, "GET", "/physical_samples/", Body::None).unwrap().json();
    assert_eq!(listed, json!([{"id": sample, "name": "Si wafer 7"}]));

    let tag = |name: &str| post(&receiver, "/tags/", json!({"name": name})).json()["id"].as_str().unwrap().to_owned();
    let tags = [tag("GaAs"), tag("buffer")];
    assert_eq!(post(&receiver, "/tags/", json!({"name": "gaas"})).status, 400);
    let listed = ask(&receiver, "GET", "/tags/", Body::None).unwrap().json();
    assert_eq!(listed, json!([{"id": tags[0], "name": "GaAs"}, {"id": tags[1], "name": "buffer"}]));

    let project = "7b0b7f0e-5b1c-4c53-9f0e-0d9f5a4ce001";
    let created = post(
        &receiver,
        "/rheed/stream/",
        json!({"data_item_name": "growth", "fps_capture_rate": 10.0, "rotations_per_min": 12.0,
               "rotational_period": 50.0, "project_id": project}),
    );
    let data_id = created.json().as_str().expect("a bare JSON string").to_owned();
    let link = json!({"data_ids": [data_id], "physical_sample_id": sample});
    assert_eq!(post(&receiver, "/data_entries/physical_sample", link).status, 200);
    let track = json!({"physical_sample_id": sample, "set_active": true});
    assert_eq!(post(&receiver, &format!("/projects/{project}/configuration/tracking_samples"), track).status, 200);
    let link = json!({"data_ids": [data_id], "tag_ids": [tags[1], tags[0]]});
    assert_eq!(post(&receiver, "/tags/data-items/", link).status, 200);
    assert_eq!(pipeline_status(&receiver, &data_id), "stream_active");
    assert_eq!(post_nothing(&receiver, &format!("/rheed/stream/{data_id}/pause")).json(), json!(data_id));
    assert_eq!(pipeline_status(&receiver, &data_id), "stream_interrupted");
    assert_eq!(post_nothing(&receiver, &format!("/rheed/stream/{data_id}/resume")).json(), json!(data_id));

    let mut chunk = Chunk::new(0, 3, (4, 6), 3);
    chunk.rotates = true;
    chunk.clock = Some((-12.5, 1.25));
    let issued = presign(&receiver, &data_id, &chunk);
    let url = issued.json()[0]["url"].as_str().unwrap().to_owned();
    assert_eq!((&issued.json()[0]["part"], issued.json()[0]["upload_id"].is_string()), (&json!(0), true));
    assert!(url.starts_with(receiver.url()), "{url}");
    assert_eq!(put(&url, &chunk.shard()).unwrap().status, 200);
    let ended = post_nothing(&receiver, &format!("/rheed/stream/{data_id}/end?force_success=true"));
    assert!(ended.status == 200 && ended.json().is_string());
    assert_eq!(pipeline_status(&receiver, &data_id), "success");

    let stream = only_stream(&receiver);
    assert_eq!((stream.data_id.as_str(), stream.name.as_str(), stream.ended), (data_id.as_str(), "growth", true));
    assert_eq!((stream.rotational_period, stream.project_id.as_deref()), (Some(50.0), Some(project)));
    assert_eq!(stream.physical_sample_id.as_deref(), Some(sample));
    assert_eq!(stream.tag_ids, [tags[1].as_str(), tags[0].as_str()]);
    let [kept] = stream.chunks.as_slice() else { panic!("{stream:?}") };
    assert_eq!((kept.index, kept.frames, kept.height, kept.width, kept.chunk_size), (0, 3, 4, 6, 3));
    assert_eq!((kept.start_unix_ms_utc, kept.end_unix_ms_utc), (chunk.start_unix_ms, chunk.start_unix_ms + 300.0));
    assert_eq!((kept.clock_offset_ms, kept.clock_uncertainty_ms), (Some(-12.5), Some(1.25)));
    assert_eq!((kept.shard_bytes, kept.empty_frames), (chunk.shard().len() as u64, 0));

    // Nothing comes after the end; to end once more does no harm.
    assert_eq!(presign(&receiver, &data_id, &chunk).status, 409);
    assert_eq!(put(&url, &chunk.shard()).unwrap().status, 409);
    assert_eq!(post_nothing(&receiver, &format!("/rheed/stream/{data_id}/end")).status, 200);
    assert_eq!(post_nothing(&receiver, &format!("/rheed/stream/{data_id}/pause")).status, 409);
}

#[test]
fn what_is_discarded_is_counted_and_lies_nowhere() {
    let site = Site::new();
    let receiver = site.start_with(|settings| settings.discard = true);
    let data_id = create(&receiver);
    let chunks = [Chunk::new(0, 3, (4, 6), 3), Chunk::new(1, 2, (4, 6), 3)];
    chunks.iter().for_each(|chunk| upload(&receiver, &data_id, chunk));
    let url = url_for(&receiver, &data_id, &chunks[0]);
    assert_eq!(put(&url, &chunks[0].shard()).unwrap().status, 200);
    assert_eq!(put(&url, &chunks[0].shard()).unwrap().status, 403);
    let url = url_for(&receiver, &data_id, &chunks[0]);
    assert_eq!(post_nothing(&receiver, &format!("/rheed/stream/{data_id}/end")).status, 200);
    assert_eq!(put(&url, &chunks[0].shard()).unwrap().status, 409);

    let stream = only_stream(&receiver);
    let chunks = [&chunks[0], &chunks[1], &chunks[0]];
    let bytes = chunks.iter().map(|chunk| chunk.shard().len() as u64).sum();
    assert_eq!(stream.discarded, Discarded { chunks: 3, frames: 8, bytes });
    assert_eq!((stream.chunks.len(), stream.frames()), (0, 0));
    assert!(!stream.folder.join("frames").exists());
    assert_eq!(fs::read_dir(stream.folder.parent().unwrap().join("incoming")).unwrap().count(), 0);
}

#[test]
fn only_the_clock_and_presigned_urls_do_without_a_key() {
    let site = Site::new();
    let receiver = site.start();
    let data_id = create(&receiver);
    let end = format!("/rheed/stream/{data_id}/end");
    for (method, path) in
        [("GET", "/physical_samples/"), ("POST", "/rheed/stream/"), ("POST", &end), ("GET", "/_receiver/faults")]
    {
        for (key, status) in [(None, 401), (Some("a-key-for-testz"), 403), (Some("a-key"), 403)] {
            let reply = ask_with(&receiver, method, path, key, &[], Body::None).unwrap();
            assert_eq!(reply.status, status, "{method} {path} {key:?}");
            assert!(reply.json()["detail"].is_string());
        }
    }
    assert_eq!(ask_with(&receiver, "GET", "/gateway/time", None, &[], Body::None).unwrap().status, 200);
    assert!(!only_stream(&receiver).ended);
}

#[test]
fn an_api_key_at_a_presigned_url_is_refused_and_noted() {
    let site = Site::new();
    let receiver = site.start();
    let data_id = create(&receiver);
    let chunk = Chunk::new(0, 2, (4, 6), 2);
    let url = url_for(&receiver, &data_id, &chunk);
    let path = url.strip_prefix(receiver.url()).unwrap();
    let reply = ask_with(&receiver, "PUT", path, Some(KEY), &[], Body::Bytes(&chunk.shard())).unwrap();
    assert_eq!(reply.status, 400);
    assert!(reply.text().contains("API key"), "{}", reply.text());
    assert_eq!(only_stream(&receiver).chunks, []);
    let noted = receiver.requests();
    assert!(noted.iter().any(|request| request.is_put() && request.has_key && request.status == 400));
}

#[test]
fn a_wrong_field_is_refused_by_its_name() {
    let site = Site::new();
    let receiver = site.start();
    let data_id = create(&receiver);
    let stream = json!({"data_item_name": "x", "fps_capture_rate": 10, "rotations_per_min": 0, "rotational_period": null,
                        "azimuth_label": "[110]"});
    let presign = Chunk::new(0, 2, (4, 6), 20).declaration(&data_id);
    let nobody = "7b0b7f0e-5b1c-4c53-9f0e-0d9f5a4ce001";
    assert_eq!(post(&receiver, "/rheed/stream/", stream.clone()).status, 200);
    assert_eq!(post(&receiver, &presign_path(0), presign.clone()).status, 200);
    for (path, whole, field, wrong, status) in [
        ("/rheed/stream/", &stream, "data_item_name", json!(""), 422),
        ("/rheed/stream/", &stream, "data_item_name", json!("n".repeat(2000)), 422),
        ("/rheed/stream/", &stream, "fps_capture_rate", json!(0), 422),
        ("/rheed/stream/", &stream, "fps_capture_rate", json!("10"), 422),
        ("/rheed/stream/", &stream, "rotations_per_min", json!(-1), 422),
        ("/rheed/stream/", &stream, "rotational_period", json!(50), 422),
        ("/rheed/stream/", &stream, "project_id", json!("mine"), 422),
        ("/rheed/stream/", &stream, "project_id", json!(null), 422),
        ("/rheed/stream/", &stream, "misspelt", json!(1), 422),
        (&presign_path(0), &presign, "data_id", json!("../../etc"), 422),
        (&presign_path(0), &presign, "data_id", json!(nobody), 404),
        (&presign_path(0), &presign, "data_stream", json!("xrd"), 422),
        (&presign_path(0), &presign, "is_stream", json!(1), 422),
        (&presign_path(0), &presign, "is_rotating", json!("1"), 422),
        (&presign_path(0), &presign, "raw_frame_rate", json!(10.0), 422),
        (&presign_path(0), &presign, "avg_frame_rate", json!("nan"), 422),
        (&presign_path(0), &presign, "chunk_size", json!("0"), 422),
        (&presign_path(0), &presign, "chunk_size", json!("99999999999"), 422),
        (&presign_path(0), &presign, "chunk_size", json!(20), 422),
        (&presign_path(0), &presign, "dims", json!("21,4,6"), 422),
        (&presign_path(0), &presign, "dims", json!("2,4"), 422),
        (&presign_path(0), &presign, "dims", json!("2,4,0"), 422),
        (&presign_path(0), &presign, "dims", json!("2,4,99999999"), 422),
        (&presign_path(0), &presign, "start_unix_ms_utc", json!(1.7e12), 422),
        (&presign_path(0), &presign, "end_unix_ms_utc", json!("1"), 422),
        (&presign_path(0), &presign, "clock_offset_ms", json!(null), 422),
        (&presign_path(0), &presign, "clock_uncertainty_ms", json!("-1"), 422),
        (&presign_path(0), &presign, "frames", json!("2"), 422),
    ] {
        let mut body = whole.clone();
        body[field] = wrong;
        let reply = post(&receiver, path, body.clone());
        assert_eq!(reply.status, status, "{body}: {}", reply.text());
        let detail = reply.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.starts_with(field), "{field}: {detail}");
        body.as_object_mut().unwrap().remove(field);
        let optional = ["project_id", "misspelt", "clock_offset_ms", "clock_uncertainty_ms", "frames"].contains(&field);
        assert_eq!(post(&receiver, path, body).status, if optional { 200 } else { 422 }, "without {field}");
    }

    // An azimuth belongs to a stationary stream.
    let mut rotating = stream.clone();
    rotating["rotations_per_min"] = json!(12);
    rotating["rotational_period"] = json!(50);
    assert!(post(&receiver, "/rheed/stream/", rotating).text().contains("azimuth_label"));

    for path in [
        presign_path(0).replace("num_parts=1", "num_parts=2"),
        presign_path(0).replace("staging_type=stream", "staging_type=file"),
        presign_path(0).replace("%2Fc%2F0%2F", "%2Fc%2F00%2F"),
        presign_path(0).replace("%2Fc%2F0%2F", "%2Fc%2F%2B1%2F"),
        presign_path(0).replace("%2Fc%2F0%2F", "%2Fc%2F99999999999%2F"),
        presign_path(0).replace("frames.zarr%2F", "..%2F..%2F"),
        presign_path(0).replace("&staging_type=stream", ""),
        presign_path(0) + "&num_parts=1",
        presign_path(0) + "&more=1",
    ] {
        assert_eq!(post(&receiver, &path, presign.clone()).status, 422, "{path}");
    }

    let not_json = Body::Typed("application/json", b"{\"name\"");
    assert_eq!(ask(&receiver, "POST", "/tags/", not_json).unwrap().status, 422);
    let no_type = Body::Bytes(b"{\"name\": \"x\"}");
    assert!(ask(&receiver, "POST", "/tags/", no_type).unwrap().text().contains("content-type"));
    assert_eq!(post(&receiver, "/tags/data-items/", json!({"data_ids": [data_id], "tag_ids": [nobody]})).status, 404);
    let link = json!({"data_ids": [data_id], "physical_sample_id": nobody});
    assert_eq!(post(&receiver, "/data_entries/physical_sample", link).status, 404);
    assert_eq!(post_nothing(&receiver, &format!("/rheed/stream/{nobody}/end")).status, 404);
    assert_eq!(post_nothing(&receiver, &format!("/rheed/stream/{data_id}/end?force=1")).status, 422);
    assert_eq!(post_nothing(&receiver, "/rheed/stream").status, 404);
    assert_eq!(ask(&receiver, "DELETE", "/tags/", Body::None).unwrap().status, 405);
}

// ---- shards -----------------------------------------------------------------------------------------------------

#[test]
fn a_file_that_is_no_shard_is_refused_with_what_is_wrong() {
    let site = Site::new();
    let receiver = site.start_with(|settings| settings.verify_frames = true);
    let data_id = create(&receiver);
    let chunk = Chunk::new(0, 3, (4, 6), 3);
    let good = chunk.shard();
    let frames = chunk.frames();
    let reindexed = |change: fn(&mut Vec<(u64, u64)>)| {
        let (mut bytes, mut index) = compressed(&frames, 1, false);
        change(&mut index);
        bytes.extend(index_bytes(&index));
        bytes
    };
    let with_checksums = {
        let (mut bytes, index) = compressed(&frames, 1, true);
        bytes.extend(index_bytes(&index));
        bytes
    };
    let with_damage = {
        // The last byte of the last frame's data: its header stays good.
        let mut bytes = shard(&[noise(24, 1), noise(24, 2), vec![7; 24]]);
        let at = bytes.len() - (3 * 16 + 4) - 3;
        bytes[at] ^= 0xff;
        bytes
    };
    for (bytes, why) in [
        (Vec::new(), "only 0 in all"),
        (b"too short".to_vec(), "only 9 in all"),
        (good[..good.len() - 1].to_vec(), "crc32c"),
        ([good.clone(), vec![0]].concat(), "crc32c"),
        (shard(&frames[..2]), "crc32c"),
        (reindexed(|index| index[1].0 = 1 << 40), "frame 1: "),
        (reindexed(|index| index[1].1 = u64::MAX), "frame 1: "),
        (reindexed(|index| index[2].1 += 1), "frame 2: "),
        (reindexed(|index| index[2].1 = 0), "frame 2: "),
        (reindexed(|index| index[1] = index[0]), "frames 0 and 1 overlap"),
        (reindexed(|index| index[0] = (1, index[0].1 - 1)), "frame 0: it is no zstd frame"),
        (reindexed(|index| index[2].1 -= 1), "frame 2: "),
        (shard(&[vec![1; 24], vec![1; 24], vec![1; 25]]), "frame 2: its zstd header says 25 bytes, its dims 24"),
        (with_checksums, "checksum"),
        (with_damage, "frame 2: it does not decompress"),
    ] {
        let reply = put(&url_for(&receiver, &data_id, &chunk), &bytes).unwrap();
        assert_eq!(reply.status, 400, "{why}");
        assert!(reply.text().contains(why), "{why}: {}", reply.text());
    }
    assert_eq!(only_stream(&receiver).chunks, []);
    assert_eq!(names_in(&site.data.join("incoming")), [""; 0], "nothing is left lying about");

    // In any order, with gaps, at any level, with a frame left out: all that is a shard.
    let mut bytes = b"before".to_vec();
    let mut index = vec![(u64::MAX, u64::MAX); 3];
    for number in [2, 0] {
        let frame = zstd::bulk::compress(&frames[number], 19).unwrap();
        index[number] = (bytes.len() as u64, frame.len() as u64);
        bytes.extend(frame);
        bytes.extend(b"gap");
    }
    bytes.extend(index_bytes(&index));
    assert_eq!(put(&url_for(&receiver, &data_id, &chunk), &bytes).unwrap().status, 200);
    assert_eq!(only_stream(&receiver).chunks[0].empty_frames, 1);
}

#[test]
fn a_body_beyond_its_bound_is_refused() {
    let site = Site::new();
    let receiver = site.start_with(|settings| settings.max_body = 4000);
    let data_id = create(&receiver);
    let chunk = Chunk::new(0, 2, (40, 60), 2);
    let url = url_for(&receiver, &data_id, &chunk);
    assert_eq!(put(&url, &vec![0; 4001]).unwrap().status, 413);
    let path = url.strip_prefix(receiver.url()).unwrap();
    let unmeasured = ask_with(&receiver, "PUT", path, None, &[], Body::Chunked(&chunk.shard())).unwrap();
    assert_eq!(unmeasured.status, 411);
    assert!(receiver.requests().iter().any(|request| request.is_put() && request.chunked && request.content_length.is_none()));
    let name = "n".repeat(2 << 20);
    assert_eq!(post(&receiver, "/tags/", json!({ "name": name })).status, 413);
    assert_eq!(names_in(&site.data.join("incoming")), [""; 0]);
}

#[test]
fn an_expired_or_altered_url_takes_nothing() {
    let site = Site::new();
    let receiver = site.start();
    let data_id = create(&receiver);
    let chunk = Chunk::new(0, 2, (4, 6), 2);
    let good = url_for(&receiver, &data_id, &chunk);
    receiver.set_faults("presign:url_ttl=0").unwrap();
    let expired = url_for(&receiver, &data_id, &chunk);
    receiver.set_faults("").unwrap();
    let (path, query) = good.split_once('?').unwrap();
    for url in [
        expired.as_str(),
        path,
        &format!("{path}?{query}0"),
        &good.replace("/c/0/0/0", "/c/1/0/0"),
        &good.replace("frames.zarr", "frames.zarr/../frames.zarr"),
        &good.replace("frames.zarr", "frames%2Ezarr"),
    ] {
        let reply = put(url, &chunk.shard()).unwrap();
        assert_eq!(reply.status, 403, "{url}");
    }
    assert_eq!(only_stream(&receiver).chunks, []);
    // The same one may be used again: a confirmation can get lost.
    assert_eq!(put(&good, &chunk.shard()).unwrap().status, 200);
    assert_eq!(put(&good, &chunk.shard()).unwrap().status, 200);
}

#[test]
fn urls_live_as_long_as_they_are_told_to() {
    let site = Site::new();
    let receiver = site.start_with(|settings| settings.url_ttl = Duration::ZERO);
    let data_id = create(&receiver);
    let chunk = Chunk::new(0, 2, (4, 6), 2);
    assert_eq!(put(&url_for(&receiver, &data_id, &chunk), &chunk.shard()).unwrap().status, 403);
}

#[test]
fn hostile_names_go_nowhere() {
    let site = Site::new();
    let receiver = site.start();
    let data_id = create(&receiver);
    let before = tree(&site.folder);
    let huge = "x".repeat(60_000);
    for path in [
        "/staged/../../../outside",
        "/staged/%2e%2e/%2e%2e/outside?signature=..",
        "/staged/%00",
        &format!("/staged/{data_id}/../../../outside?expires=1&signature=x"),
        &format!("/staged/{huge}"),
        "/../outside",
        "//outside",
    ] {
        let reply = ask_with(&receiver, "PUT", path, None, &[], Body::Bytes(b"x")).unwrap();
        assert!((400..500).contains(&reply.status), "{path}: {}", reply.status);
    }
    for id in ["..", "%2e%2e", "%00", "..%2f..%2foutside", "%ff%fe", &huge] {
        let reply = post_nothing(&receiver, &format!("/rheed/stream/{id}/end"));
        assert_eq!(reply.status, 404, "{id}");
        let project = format!("/projects/{id}/configuration/tracking_samples");
        assert_eq!(post(&receiver, &project, json!({})).status, 404, "{id}");
    }
    let name = "../../outside\u{0}\r\n";
    assert_eq!(post(&receiver, "/tags/", json!({ "name": name })).status, 200);
    let after = tree(&site.folder);
    let new: Vec<_> = after.keys().filter(|path| !before.contains_key(*path)).collect();
    assert_eq!(new, [&PathBuf::from("data/catalog.json")]);
}

// ---- what is kept -----------------------------------------------------------------------------------------------

/// A stream with all that can happen to one: a short chunk in the middle, a lost chunk, a new frame size, the old size
/// again, a short last chunk.
fn eventful_stream() -> Vec<Chunk> {
    let (small, large) = ((4, 6), (5, 9));
    vec![
        Chunk::new(0, 4, small, 4),
        Chunk::new(1, 3, small, 4),
        Chunk::new(3, 4, small, 4),
        Chunk::new(4, 4, large, 4),
        Chunk::new(5, 1, large, 4),
        Chunk::new(6, 4, small, 4),
        Chunk::new(7, 2, small, 4),
    ]
}

#[test]
fn the_order_in_which_chunks_come_makes_no_difference() {
    let site = Site::new();
    let receiver = site.start();
    let chunks = eventful_stream();
    let kept = |order: &[usize]| {
        let data_id = create(&receiver);
        for &number in order {
            upload(&receiver, &data_id, &chunks[number]);
        }
        frames_kept(&site.data.join(data_id))
    };
    let in_order = kept(&[0, 1, 2, 3, 4, 5, 6]);
    let shards: Vec<_> = in_order.0.keys().filter(|path| !path.ends_with("zarr.json")).map(|it| it.to_str().unwrap()).collect();
    assert_eq!(
        shards,
        [
            "frames/c/0/0/0",
            "frames/c/1/0/0",
            "frames/c/3/0/0",
            "frames_1/c/0/0/0",
            "frames_1/c/1/0/0",
            "frames_2/c/0/0/0",
            "frames_2/c/1/0/0"
        ]
    );
    let mut random = fastrand::Rng::with_seed(7);
    let mut order = [6, 5, 4, 3, 2, 1, 0];
    for _ in 0..12 {
        assert!(kept(&order) == in_order, "{order:?}");
        random.shuffle(&mut order);
    }
}

/// A stream's shards, and what its metadata says of them.
fn frames_kept(folder: &Path) -> (BTreeMap<PathBuf, Vec<u8>>, [Value; 2]) {
    let mut files = tree(folder);
    files.retain(|path, _| path.components().next().unwrap().as_os_str().to_str().unwrap().starts_with("frames"));
    let group: Value = serde_json::from_slice(&fs::read(folder.join("zarr.json")).unwrap()).unwrap();
    (files, [group["consolidated_metadata"].clone(), group["attributes"]["ome"].clone()])
}

#[test]
fn a_chunk_that_comes_again_in_another_size_leaves_nothing_behind() {
    let site = Site::new();
    let receiver = site.start();
    let mut random = fastrand::Rng::with_seed(3);
    let worn = create(&receiver);
    let mut latest = BTreeMap::new();
    for _ in 0..60 {
        let index = random.u64(..6);
        let size = if random.bool() { (4, 6) } else { (5, 9) };
        let count = random.u64(1..=4);
        upload(&receiver, &worn, &Chunk::new(index, count, size, 4));
        latest.insert(index, Chunk::new(index, count, size, 4));
        let fresh = create(&receiver);
        latest.values().for_each(|chunk| upload(&receiver, &fresh, chunk));
        let (worn, fresh) = (site.data.join(&worn), site.data.join(fresh));
        let sizes: Vec<_> = latest.values().map(|chunk| (chunk.index, chunk.size)).collect();
        assert!(frames_kept(&worn) == frames_kept(&fresh), "{sizes:?}");
    }
}

#[test]
fn a_chunk_that_comes_again_replaces_the_first() {
    let site = Site::new();
    let receiver = site.start();
    let data_id = create(&receiver);
    let chunks = [Chunk::new(0, 4, (4, 6), 4), Chunk::new(1, 4, (4, 6), 4)];
    chunks.iter().for_each(|chunk| upload(&receiver, &data_id, chunk));
    let once = tree(&site.data.join(&data_id).join("frames"));
    chunks.iter().for_each(|chunk| upload(&receiver, &data_id, chunk));
    assert!(tree(&site.data.join(&data_id).join("frames")) == once);

    // Even with another frame size, and back again.
    upload(&receiver, &data_id, &Chunk::new(0, 4, (5, 9), 4));
    let arrays: Vec<_> = only_stream(&receiver).chunks.into_iter().map(|chunk| (chunk.array, chunk.array_index)).collect();
    assert_eq!(arrays, [("frames".to_owned(), 0), ("frames_1".to_owned(), 0)]);
    upload(&receiver, &data_id, &chunks[0]);
    assert!(tree(&site.data.join(&data_id).join("frames")) == once);
    assert!(!site.data.join(&data_id).join("frames_1").exists());

    let other_size = presign(&receiver, &data_id, &Chunk::new(2, 4, (4, 6), 5));
    let url = other_size.json()[0]["url"].as_str().unwrap().to_owned();
    let reply = put(&url, &Chunk::new(2, 4, (4, 6), 5).shard()).unwrap();
    assert_eq!(reply.status, 422);
    assert!(reply.text().contains("chunk_size"), "{}", reply.text());
}

#[test]
fn zarr_python_reads_every_frame() {
    let Ok(python) = std::env::var("RHEED_TEST_PYTHON") else {
        println!("SKIPPED: RHEED_TEST_PYTHON names no Python with zarr and numpy");
        return;
    };
    let site = Site::new();
    let receiver = site.start();
    let data_id = create(&receiver);
    let mut chunks = eventful_stream();
    chunks.reverse();
    chunks.iter().for_each(|chunk| upload(&receiver, &data_id, chunk));
    let expected = site.folder.join("expected");
    fs::create_dir(&expected).unwrap();
    let record = only_stream(&receiver);
    let mut manifest = Vec::new();
    for (chunk, kept) in chunks.iter().rev().zip(&record.chunks) {
        let file = expected.join(kept.index.to_string());
        fs::write(&file, chunk.frames().concat()).unwrap();
        manifest.push(json!({"array": kept.array, "at": kept.array_index * 4, "file": file,
                             "shape": [chunk.count, chunk.size.0, chunk.size.1]}));
    }
    let shapes = json!({"frames": [16, 4, 6], "frames_1": [5, 5, 9], "frames_2": [6, 4, 6]});
    let manifest = json!({"group": record.folder, "fps": 10.0, "shapes": shapes, "chunks": manifest});
    let manifest_file = site.folder.join("manifest.json");
    fs::write(&manifest_file, manifest.to_string()).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/check_group.py");
    let output = Command::new(python).arg(script).arg(&manifest_file).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}{err}");
    assert!(out.starts_with("22 frames in 3 arrays"), "{out}{err}");
}

#[test]
fn what_chunks_and_requests_said_is_kept_beside_the_frames() {
    let site = Site::new();
    let receiver = site.start();
    let data_id = create(&receiver);
    let mut chunk = Chunk::new(0, 2, (4, 6), 4);
    chunk.clock = Some((3.5, 0.5));
    upload(&receiver, &data_id, &chunk);
    let folder = site.data.join(&data_id);
    let kept = lines(&folder.join("chunks.jsonl"));
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0]["clock_offset_ms"], json!(3.5));
    assert_eq!((&kept[0]["array"], &kept[0]["array_index"]), (&json!("frames"), &json!(0)));
    let metadata: Value = serde_json::from_slice(&fs::read(folder.join("frames/zarr.json")).unwrap()).unwrap();
    assert_eq!(metadata["attributes"]["rheed"]["short_chunks"], json!({"0": 2}));

    let requests = lines(&folder.join("requests.jsonl"));
    let told: Vec<_> = requests.iter().map(|it| (it["method"].as_str().unwrap(), &it["status"])).collect();
    assert_eq!(told, [("POST", &json!(200)), ("POST", &json!(200)), ("PUT", &json!(200))]);
    assert_eq!(requests[0]["body"]["data_item_name"], json!("growth"));
    assert_eq!(requests[1]["body"], chunk.declaration(&data_id));
    assert_eq!(requests[2]["body_bytes"], json!(chunk.shard().len()));

    create(&receiver);
    assert_eq!(lines(&folder.join("requests.jsonl")).len(), 3, "another stream's requests lie elsewhere");
    assert_eq!(lines(&site.data.join("requests.jsonl")).len(), 4);
}

#[test]
fn the_key_is_written_nowhere() {
    let site = Site::new();
    let receiver = site.start();
    let data_id = create(&receiver);
    upload(&receiver, &data_id, &Chunk::new(0, 2, (4, 6), 2));
    ask_with(&receiver, "GET", "/tags/", Some(KEY), &[], Body::None).unwrap();
    for (path, bytes) in tree(&site.folder) {
        assert!(!bytes.windows(KEY.len()).any(|window| window == KEY.as_bytes()), "{}", path.display());
    }
}

#[cfg(unix)]
#[test]
fn what_is_kept_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let site = Site::new();
    let receiver = site.start();
    let data_id = create(&receiver);
    upload(&receiver, &data_id, &Chunk::new(0, 2, (4, 6), 2));
    for folder in ["", "incoming", &data_id, &format!("{data_id}/frames/c/0/0")] {
        let mode = fs::metadata(site.data.join(folder)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700, "{folder}");
    }
}

#[test]
fn two_requests_on_one_connection_bear_one_port() {
    let site = Site::new();
    let receiver = site.start();
    let mut line = connect(&receiver);
    for _ in 0..2 {
        line.write_all(b"GET /gateway/time HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"}") {
            let mut byte = [0];
            line.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
    }
    ask(&receiver, "GET", "/gateway/time", Body::None).unwrap();
    let ports: Vec<_> = receiver.requests().iter().map(|request| request.peer_port).collect();
    assert_eq!((ports[0], ports[1]), (line.local_addr().unwrap().port(), ports[0]));
    assert_ne!(ports[2], ports[0]);
}

// ---- coming and going -------------------------------------------------------------------------------------------

#[test]
fn a_receiver_that_comes_back_goes_on_with_its_streams() {
    let site = Site::new();
    let receiver = site.start();
    let address = address(&receiver);
    let sample = post(&receiver, "/physical_samples/", json!({"name": "Si"})).json();
    let data_id = create(&receiver);
    upload(&receiver, &data_id, &Chunk::new(0, 4, (4, 6), 4));
    let url = url_for(&receiver, &data_id, &Chunk::new(1, 4, (4, 6), 4));
    let before = (receiver.streams(), receiver.requests());

    let mut idle = connect(&receiver);
    receiver.stop();
    assert_eq!(idle.read(&mut [0]).unwrap_or(0), 0, "the connection is closed");
    assert_eq!(TcpStream::connect(address).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    assert_eq!((receiver.streams(), receiver.requests()), before, "the records stay readable");

    let receiver = site.start_with(|settings| settings.listen = address);
    assert_eq!((receiver.streams(), receiver.requests()), before);
    let again = post(&receiver, "/physical_samples/", json!({"name": "Si"}));
    assert_eq!((again.status, again.json()), (409, json!({"detail": sample})));
    assert_eq!(put(&url, &Chunk::new(1, 4, (4, 6), 4).shard()).unwrap().status, 403, "its URLs are gone");
    upload(&receiver, &data_id, &Chunk::new(1, 2, (4, 6), 4));
    assert_eq!(only_stream(&receiver).frames(), 6);
}

#[test]
fn a_receiver_that_died_half_way_puts_its_folder_in_order() {
    let site = Site::new();
    let receiver = site.start();
    let data_id = create(&receiver);
    for chunk in eventful_stream() {
        upload(&receiver, &data_id, &chunk);
    }
    let folder = site.data.join(&data_id);
    let whole = (tree(&folder), receiver.streams());
    drop(receiver);

    // Two shards on the way to their places, metadata of before, a line cut off, a body and an unknown shard left behind.
    let incoming = site.data.join("incoming");
    fs::rename(folder.join("frames_1/c/0/0/0"), incoming.join(format!("{data_id}.4"))).unwrap();
    fs::rename(folder.join("frames_2"), site.folder.join("away")).unwrap();
    fs::rename(site.folder.join("away/c/0/0/0"), incoming.join(format!("{data_id}.6"))).unwrap();
    fs::rename(site.folder.join("away/c/1/0/0"), incoming.join(format!("{data_id}.7"))).unwrap();
    fs::remove_file(folder.join("zarr.json")).unwrap();
    fs::write(incoming.join(format!("{data_id}.99")), "unknown").unwrap();
    fs::write(incoming.join("7b0b7f0e-5b1c-4c53-9f0e-0d9f5a4ce001"), "half a body").unwrap();
    fs::File::options().append(true).open(folder.join("chunks.jsonl")).unwrap().write_all(b"{\"index\":9").unwrap();

    let receiver = site.start();
    assert_eq!(receiver.streams(), whole.1);
    assert!(tree(&folder) == whole.0);
    assert_eq!(names_in(&incoming), [""; 0]);
}

#[test]
fn a_data_folder_belongs_to_one_receiver_at_a_time() {
    let site = Site::new();
    let receiver = site.start();
    let refusal = Receiver::start(site.settings()).err().expect("the folder is taken").to_string();
    assert!(refusal.contains("in use by another receiver"), "{refusal}");
    receiver.stop();
    site.start();
}

#[test]
fn a_receiver_starts_and_stops_inside_async_code() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let site = Site::new();
        drop(site.start());
    });
}

// ---- a bad day --------------------------------------------------------------------------------------------------

#[test]
fn a_status_on_purpose_does_no_work_and_bears_its_retry_after() {
    let site = Site::new();
    let receiver = site.start();
    receiver.set_faults("create:status=503,retry_after=7,times=1\ncreate:status=429,retry_after_date=60,times=1").unwrap();
    let stream = json!({"data_item_name": "x", "fps_capture_rate": 10, "rotations_per_min": 0, "rotational_period": null});
    let reply = post(&receiver, "/rheed/stream/", stream.clone());
    assert_eq!((reply.status, reply.header("retry-after")), (503, Some("7")));
    let reply = post(&receiver, "/rheed/stream/", stream.clone());
    let date = httpdate::parse_http_date(reply.header("retry-after").unwrap()).unwrap();
    let ahead = date.duration_since(SystemTime::now()).unwrap().as_secs();
    assert!(reply.status == 429 && (58..=61).contains(&ahead), "{ahead}");
    assert!(receiver.streams().is_empty());
    assert_eq!(post(&receiver, "/rheed/stream/", stream.clone()).status, 200);
    let noted = receiver.requests();
    assert_eq!(noted[0].fault.as_deref(), Some("create:status=503,retry_after=7,times=1"));
    assert_eq!((noted[0].body.as_ref(), noted[2].fault.as_ref()), (Some(&stream), None));
}

#[test]
fn a_stalled_upload_is_told_in_the_words_of_object_storage() {
    let site = Site::new();
    let receiver = site.start();
    receiver.set_faults("put:status=400,body=request_timeout").unwrap();
    let data_id = create(&receiver);
    let chunk = Chunk::new(0, 2, (4, 6), 2);
    let reply = put(&url_for(&receiver, &data_id, &chunk), &chunk.shard()).unwrap();
    assert_eq!(reply.status, 400);
    assert!(reply.text().contains("<Code>RequestTimeout</Code>"));
}

#[test]
fn a_connection_cut_on_purpose_is_reset_without_an_answer() {
    let site = Site::new();
    let receiver = site.start();
    let stream = json!({"data_item_name": "x", "fps_capture_rate": 10, "rotations_per_min": 0, "rotational_period": null});
    let stream = stream.to_string();
    let body = || Body::Typed("application/json", stream.as_bytes());

    receiver.set_faults("create:cut=request").unwrap();
    assert!(is_cut(ask(&receiver, "POST", "/rheed/stream/", body())));
    assert_eq!(receiver.streams().len(), 0, "nothing was done");

    receiver.set_faults("create:cut=answer").unwrap();
    assert!(is_cut(ask(&receiver, "POST", "/rheed/stream/", body())));
    assert_eq!(receiver.streams().len(), 1, "the work was done, the answer is lost");

    receiver.set_faults("put:cut=100000,chunk=1").unwrap();
    let data_id = only_stream(&receiver).data_id;
    let chunk = |index| Chunk::noisy(index, 4, (400, 600), 4);
    upload(&receiver, &data_id, &chunk(0));
    assert!(is_cut(put(&url_for(&receiver, &data_id, &chunk(1)), &chunk(1).shard())));
    let noted = receiver.requests().into_iter().rfind(RequestRecord::is_put).unwrap();
    assert_eq!(noted.status, 0);
    assert!((100_000..chunk(1).shard().len() as u64).contains(&noted.body_bytes), "{}", noted.body_bytes);
    assert_eq!(only_stream(&receiver).chunks.len(), 1);
    assert_eq!(names_in(&site.data.join("incoming")), [""; 0]);

    receiver.set_faults("put:cut=answer").unwrap();
    assert!(is_cut(put(&url_for(&receiver, &data_id, &chunk(1)), &chunk(1).shard())));
    assert_eq!(only_stream(&receiver).chunks.len(), 2);
    // A body shorter than the cut gets through.
    receiver.set_faults("put:cut=100000000").unwrap();
    upload(&receiver, &data_id, &chunk(2));
}

#[test]
fn a_request_left_hanging_is_never_answered() {
    let site = Site::new();
    let receiver = site.start();
    receiver.set_faults("tags:hang=request\nsamples:hang=answer").unwrap();
    let body = json!({"name": "x"}).to_string();
    let hang = |path: &str| {
        let mut line = connect(&receiver);
        line.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        let head = head(&receiver, "POST", path, Some(KEY), &[], &Body::Typed("application/json", body.as_bytes()));
        line.write_all(head.as_bytes()).unwrap();
        line.write_all(body.as_bytes()).unwrap();
        assert!(receiver.wait_until(PATIENCE, |it| { it.requests().iter().any(|request| request.path == path) }));
        let waited = line.read(&mut [0]).unwrap_err().kind();
        assert!(matches!(waited, io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut), "{waited:?}");
        line
    };
    let mut lines = [hang("/tags/"), hang("/physical_samples/")];
    assert!(receiver.requests().iter().all(|request| request.status == 0));
    receiver.set_faults("").unwrap();
    assert_eq!(post(&receiver, "/tags/", json!({"name": "x"})).status, 200, "nothing had been done");
    assert_eq!(post(&receiver, "/physical_samples/", json!({"name": "x"})).status, 409, "the work had been done");
    receiver.stop();
    lines.iter_mut().for_each(|line| assert_eq!(line.read(&mut [0]).unwrap_or(0), 0, "those who hang are let go"));
}

#[test]
fn an_answer_is_garbled_as_told_once_the_work_is_done() {
    let site = Site::new();
    let receiver = site.start();
    let add = |name: &str| {
        let body = json!({ "name": name }).to_string();
        ask(&receiver, "POST", "/tags/", Body::Typed("application/json", body.as_bytes()))
    };
    for (what, text) in [("empty", ""), ("null", "null"), ("wrong", r#"{"unexpected": [true]}"#)] {
        receiver.set_faults(&format!("tags:body={what},times=1")).unwrap();
        let reply = add(what).unwrap();
        assert_eq!((reply.status, reply.text().as_str()), (200, text));
        assert_eq!(add(what).unwrap().status, 400, "{what}: the work was done");
    }
    receiver.set_faults("tags:body=garbage").unwrap();
    assert!(serde_json::from_slice::<Value>(&add("garbage").unwrap().body).is_err());
    receiver.set_faults("tags:body=half,times=1").unwrap();
    let half = add("half");
    assert_eq!(half.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    assert_eq!(add("half").unwrap().status, 400);
    receiver.set_faults("tags:body=huge").unwrap();
    assert!(add("huge").unwrap().body.len() > 64 << 20);
}

#[test]
fn half_an_answer_does_come() {
    let site = Site::new();
    let receiver = site.start();
    receiver.set_faults("time:body=half").unwrap();
    let mut line = connect(&receiver);
    line.write_all(b"GET /gateway/time HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut all = Vec::new();
    let _ = line.read_to_end(&mut all);
    let text = String::from_utf8_lossy(&all);
    assert!(text.starts_with("HTTP/1.1 200") && text.contains("\r\n\r\n{\"received"), "{text}");
}

#[test]
fn delays_slow_bodies_and_redirects_are_as_told() {
    let site = Site::new();
    let receiver = site.start();
    receiver.set_faults("time:delay_ms=200,times=1\ncreate:redirect=http://127.0.0.1:9/elsewhere,times=1").unwrap();
    let started = Instant::now();
    assert_eq!(ask(&receiver, "GET", "/gateway/time", Body::None).unwrap().status, 200);
    assert!(started.elapsed() >= Duration::from_millis(200));
    let reply = post(&receiver, "/rheed/stream/", json!({}));
    assert_eq!((reply.status, reply.header("location")), (307, Some("http://127.0.0.1:9/elsewhere")));

    let data_id = create(&receiver);
    let chunk = Chunk::noisy(0, 1, (300, 400), 1);
    let url = url_for(&receiver, &data_id, &chunk);
    receiver.set_faults("put:bytes_per_s=400000").unwrap();
    let started = Instant::now();
    assert_eq!(put(&url, &chunk.shard()).unwrap().status, 200);
    assert!(started.elapsed() >= Duration::from_millis(300), "{:?}", started.elapsed());
}

#[test]
fn rules_are_set_listed_and_cleared_over_http() {
    let site = Site::new();
    let receiver = site.start();
    let control = |method: &str, body: &str| ask(&receiver, method, "/_receiver/faults", Body::Bytes(body.as_bytes())).unwrap();
    assert_eq!(control("GET", "").json(), json!([]));
    let set = control("POST", "time:status=500,times=1\n# later\nany:delay_ms=1\n");
    let rules =
        |first, second| json!([{"rule": "time:status=500,times=1", "fired": first}, {"rule": "any:delay_ms=1", "fired": second}]);
    assert_eq!((set.status, set.json()), (200, rules(0, 0)));
    assert_eq!(ask(&receiver, "GET", "/gateway/time", Body::None).unwrap().status, 500);
    assert_eq!(ask(&receiver, "GET", "/nowhere", Body::None).unwrap().status, 404);
    assert_eq!(control("GET", "").json(), rules(1, 1));
    let bad = control("POST", "time:stauts=500");
    assert_eq!(bad.status, 422);
    assert!(bad.text().contains("there is no key `stauts`"), "{}", bad.text());
    assert_eq!(control("GET", "").json(), rules(1, 1), "a bad rule changes nothing");
    assert_eq!(control("DELETE", "").json(), json!([]));
    assert_eq!(receiver.requests().len(), 2, "the control endpoint is not noted down");
}

#[test]
fn the_clock_can_be_told_to_be_off() {
    let site = Site::new();
    let receiver = site.start_with(|settings| settings.clock_offset_ms = 90_000.0);
    let ahead = |receiver: &Receiver| {
        let time = ask(receiver, "GET", "/gateway/time", Body::None).unwrap().json();
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64() * 1e3;
        time["transmittedAtUnixMs"].as_f64().unwrap() - now
    };
    assert!((ahead(&receiver) - 90_000.0).abs() < 5_000.0);
    receiver.set_clock_offset_ms(-3_600_000.0);
    assert!((ahead(&receiver) + 3_600_000.0).abs() < 5_000.0);
}

// ---- the program ------------------------------------------------------------------------------------------------

#[test]
fn the_program_tells_where_it_listens_and_what_it_receives_and_ends_when_asked_to() {
    let site = Site::new();
    let mut program = program()
        .args(["--prefix", "/v1", "--fault", "tags:status=500", "--fault=samples:status=502", "--data"])
        .arg(&site.data)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(program.stdout.take().unwrap()).lines();
    let mut line = || lines.next().unwrap().unwrap();
    let listening = line();
    let url = listening.strip_prefix("listening on ").unwrap();
    assert!(url.starts_with("http://127.0.0.1:") && url.ends_with("/v1"), "{url}");
    let key = line();
    let key = key.strip_prefix("key: ").unwrap();
    let status = |path: &str| {
        let head = format!("GET /v1{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-API-KEY: {key}\r\n\r\n");
        talk(host(url), head.as_bytes(), b"").unwrap().status
    };
    assert_eq!((status("/tags/"), status("/physical_samples/")), (500, 502));
    let body = r#"{"data_item_name": "x", "fps_capture_rate": 10, "rotations_per_min": 0, "rotational_period": null}"#;
    let head = format!(
        "POST /v1/rheed/stream/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-API-KEY: {key}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let data_id = talk(host(url), head.as_bytes(), body.as_bytes()).unwrap().json();
    assert_eq!(line(), format!("stream {} created: \"x\", 10 fps", data_id.as_str().unwrap()));
    if cfg!(unix) {
        assert!(Command::new("kill").arg(program.id().to_string()).status().unwrap().success());
        assert!(program.wait().unwrap().success());
    } else {
        program.kill().unwrap();
        program.wait().unwrap();
    }
}

#[test]
fn the_program_refuses_bad_arguments_with_what_would_be_right() {
    for (arguments, why) in [
        (&["--listen", "here"][..], "--listen: an address and a port"),
        (&["--url-ttl", "soon"], "--url-ttl: a whole number of seconds"),
        (&["--max-body=2GB"], "--max-body: a whole number of bytes"),
        (&["--data"], "--data lacks its value"),
        (&["--quiet=yes"], "--quiet takes no value"),
        (&["--loud"], "there is no argument `--loud`"),
        (&["--fault", "put:stauts=1"], "there is no key `stauts`"),
        (&["--prefix", "api"], "prefix: a path like /api/v2"),
        (&["--prefix", "/{x}"], "prefix: a path like /api/v2"),
        (&["--key", "two words"], "key: printable ASCII"),
    ] {
        let site = Site::new();
        let output = program().current_dir(&site.folder).args(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(why), "{arguments:?}: {said}");
    }
}

#[test]
fn help_and_manual_give_the_whole_grammar() {
    let help = program().arg("--help").output().unwrap();
    assert!(help.status.success() && String::from_utf8_lossy(&help.stdout).contains(FAULT_GRAMMAR));
    let manual = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/receiver.md")).unwrap();
    assert!(manual.contains(FAULT_GRAMMAR), "docs/receiver.md does not have the rules as --help gives them");
    let version = program().arg("--version").output().unwrap();
    assert_eq!(String::from_utf8_lossy(&version.stdout), format!("rheed-receiver {}\n", env!("CARGO_PKG_VERSION")));
}

fn program() -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_rheed-receiver"));
    program.env_remove("RHEED_RECEIVER_KEY");
    program
}

// ---- a place to work in -----------------------------------------------------------------------------------------

/// A folder of its own for each test, gone when the test is over.
struct Site {
    folder: PathBuf,
    data: PathBuf,
}

impl Site {
    fn new() -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(uuid::Uuid::new_v4().to_string());
        fs::create_dir_all(&folder).unwrap();
        let data = folder.join("data");
        Self { folder, data }
    }

    fn settings(&self) -> Settings {
        let mut settings = Settings::new(&self.data);
        settings.key = Some(KEY.into());
        settings
    }

    fn start(&self) -> Receiver {
        self.start_with(|_| {})
    }

    fn start_with(&self, change: impl FnOnce(&mut Settings)) -> Receiver {
        let mut settings = self.settings();
        change(&mut settings);
        Receiver::start(settings).unwrap()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Every file under a folder, by its path from there.
fn tree(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    fn walk(at: &Path, root: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) {
        for entry in fs::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => walk(&path, root, files),
                false => drop(files.insert(path.strip_prefix(root).unwrap().to_owned(), fs::read(&path).unwrap())),
            }
        }
    }
    let mut files = BTreeMap::new();
    walk(folder, folder, &mut files);
    files
}

fn names_in(folder: &Path) -> Vec<String> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn lines(path: &Path) -> Vec<Value> {
    fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

// ---- a client ---------------------------------------------------------------------------------------------------

#[derive(Debug)]
struct Reply {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Reply {
    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().filter_map(|line| line.split_once(": ")).find(|(it, _)| it.eq_ignore_ascii_case(name)).map(|it| it.1)
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

#[derive(Clone, Copy)]
enum Body<'a> {
    None,
    Bytes(&'a [u8]),
    Typed(&'a str, &'a [u8]),
    Chunked(&'a [u8]),
}

fn host(url: &str) -> SocketAddr {
    url.strip_prefix("http://").unwrap().split('/').next().unwrap().parse().unwrap()
}

fn address(receiver: &Receiver) -> SocketAddr {
    host(receiver.url())
}

fn connect(receiver: &Receiver) -> TcpStream {
    let line = TcpStream::connect(address(receiver)).unwrap();
    line.set_read_timeout(Some(PATIENCE)).unwrap();
    line
}

fn head(receiver: &Receiver, method: &str, path: &str, key: Option<&str>, more: &[(&str, &str)], body: &Body) -> String {
    let prefix = receiver.url().splitn(4, '/').nth(3).map(|prefix| format!("/{prefix}")).unwrap_or_default();
    let mut head = format!("{method} {prefix}{path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", address(receiver));
    if let Some(key) = key {
        head += &format!("X-API-KEY: {key}\r\n");
    }
    for (name, value) in more {
        head += &format!("{name}: {value}\r\n");
    }
    match body {
        Body::None => {}
        Body::Bytes(bytes) => head += &format!("Content-Length: {}\r\n", bytes.len()),
        Body::Typed(kind, bytes) => head += &format!("Content-Type: {kind}\r\nContent-Length: {}\r\n", bytes.len()),
        Body::Chunked(_) => head += "Transfer-Encoding: chunked\r\n",
    }
    head + "\r\n"
}

fn ask_with(
    receiver: &Receiver,
    method: &str,
    path: &str,
    key: Option<&str>,
    more: &[(&str, &str)],
    body: Body,
) -> io::Result<Reply> {
    let head = head(receiver, method, path, key, more, &body);
    let bytes = match body {
        Body::None => Vec::new(),
        Body::Bytes(bytes) | Body::Typed(_, bytes) => bytes.to_vec(),
        Body::Chunked(bytes) => [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n0\r\n\r\n"].concat(),
    };
    talk(address(receiver), head.as_bytes(), &bytes)
}

/// One request on a connection of its own. An answer that ends before its announced end is an error.
fn talk(address: SocketAddr, head: &[u8], body: &[u8]) -> io::Result<Reply> {
    let mut line = TcpStream::connect(address)?;
    line.set_read_timeout(Some(PATIENCE))?;
    line.write_all(head)?;
    // A refused body may find the other end gone; the answer can be there all the same.
    let written = line.write_all(body);
    let mut all = Vec::new();
    line.read_to_end(&mut all)?;
    let Some(end) = all.windows(4).position(|window| window == b"\r\n\r\n") else {
        written?;
        return Err(io::ErrorKind::UnexpectedEof.into());
    };
    let head = String::from_utf8_lossy(&all[..end]).into_owned();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let reply = Reply { status, head, body: all.split_off(end + 4) };
    match reply.header("content-length") {
        Some(length) if length.parse() != Ok(reply.body.len()) => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(reply),
    }
}

fn is_cut(reply: io::Result<Reply>) -> bool {
    let error = reply.expect_err("no answer");
    matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionAborted)
}

fn ask(receiver: &Receiver, method: &str, path: &str, body: Body) -> io::Result<Reply> {
    ask_with(receiver, method, path, Some(KEY), &[], body)
}

fn post(receiver: &Receiver, path: &str, body: Value) -> Reply {
    ask(receiver, "POST", path, Body::Typed("application/json", body.to_string().as_bytes())).unwrap()
}

fn post_nothing(receiver: &Receiver, path: &str) -> Reply {
    ask(receiver, "POST", path, Body::None).unwrap()
}

fn put(url: &str, shard: &[u8]) -> io::Result<Reply> {
    let path = url.splitn(4, '/').nth(3).unwrap();
    let length = shard.len();
    let head = format!("PUT /{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
    talk(host(url), head.as_bytes(), shard)
}

fn create(receiver: &Receiver) -> String {
    let body = json!({"data_item_name": "growth", "fps_capture_rate": 10.0, "rotations_per_min": 0, "rotational_period": null});
    post(receiver, "/rheed/stream/", body).json().as_str().unwrap().to_owned()
}

fn presign_path(chunk: u64) -> String {
    format!(
        "/data_entries/raw_data/staged/upload_urls/\
         ?original_filename=frames.zarr%2Fframes%2Fc%2F{chunk}%2F0%2F0&num_parts=1&staging_type=stream"
    )
}

fn presign(receiver: &Receiver, data_id: &str, chunk: &Chunk) -> Reply {
    post(receiver, &presign_path(chunk.index), chunk.declaration(data_id))
}

fn url_for(receiver: &Receiver, data_id: &str, chunk: &Chunk) -> String {
    presign(receiver, data_id, chunk).json()[0]["url"].as_str().unwrap().to_owned()
}

fn upload(receiver: &Receiver, data_id: &str, chunk: &Chunk) {
    let reply = put(&url_for(receiver, data_id, chunk), &chunk.shard()).unwrap();
    assert_eq!(reply.status, 200, "{}", reply.text());
}

fn pipeline_status(receiver: &Receiver, data_id: &str) -> String {
    let entries = ask(receiver, "GET", &format!("/data_entries/?data_ids={data_id}"), Body::None).unwrap().json();
    entries[0]["pipeline_status"].as_str().unwrap().to_owned()
}

fn only_stream(receiver: &Receiver) -> StreamRecord {
    let mut streams = receiver.streams();
    assert_eq!(streams.len(), 1);
    streams.remove(0)
}

// ---- chunks -----------------------------------------------------------------------------------------------------

/// A chunk whose frames tell which they are.
struct Chunk {
    index: u64,
    count: u64,
    size: (u64, u64),
    chunk_size: u64,
    noisy: bool,
    rotates: bool,
    start_unix_ms: f64,
    clock: Option<(f64, f64)>,
}

impl Chunk {
    fn new(index: u64, count: u64, size: (u64, u64), chunk_size: u64) -> Self {
        let start_unix_ms = 1_790_000_000_000.0 + 400.0 * index as f64;
        Self { index, count, size, chunk_size, noisy: false, rotates: false, start_unix_ms, clock: None }
    }

    fn noisy(index: u64, count: u64, size: (u64, u64), chunk_size: u64) -> Self {
        Self { noisy: true, ..Self::new(index, count, size, chunk_size) }
    }

    fn frames(&self) -> Vec<Vec<u8>> {
        let length = (self.size.0 * self.size.1) as usize;
        let number = |frame| self.index * 16 + frame + 1;
        match self.noisy {
            true => (0..self.count).map(|frame| noise(length, number(frame))).collect(),
            false => (0..self.count).map(|frame| (0..length).map(|at| (at as u64 + number(frame)) as u8).collect()).collect(),
        }
    }

    fn shard(&self) -> Vec<u8> {
        shard(&self.frames())
    }

    fn declaration(&self, data_id: &str) -> Value {
        let (height, width) = self.size;
        let mut body = json!({
            "data_id": data_id,
            "data_stream": "rheed",
            "is_stream": "1",
            "is_rotating": if self.rotates { "1" } else { "0" },
            "raw_frame_rate": "10.0",
            "avg_frame_rate": "10.0",
            "chunk_size": self.chunk_size.to_string(),
            "dims": format!("{},{height},{width}", self.count),
            "start_unix_ms_utc": self.start_unix_ms.to_string(),
            "end_unix_ms_utc": (self.start_unix_ms + 100.0 * self.count as f64).to_string(),
        });
        if let Some((offset, uncertainty)) = self.clock {
            body["clock_offset_ms"] = json!(offset.to_string());
            body["clock_uncertainty_ms"] = json!(uncertainty.to_string());
        }
        body
    }
}

fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    std::iter::repeat_with(|| random.u8(..)).take(length).collect()
}

/// Frames one after another, and where each lies.
fn compressed(frames: &[Vec<u8>], level: i32, checksum: bool) -> (Vec<u8>, Vec<(u64, u64)>) {
    let mut compressor = zstd::bulk::Compressor::new(level).unwrap();
    compressor.include_checksum(checksum).unwrap();
    let mut bytes = Vec::new();
    let index = frames
        .iter()
        .map(|frame| {
            let at = bytes.len() as u64;
            bytes.extend(compressor.compress(frame).unwrap());
            (at, bytes.len() as u64 - at)
        })
        .collect();
    (bytes, index)
}

fn index_bytes(index: &[(u64, u64)]) -> Vec<u8> {
    let mut bytes: Vec<u8> = index.iter().flat_map(|it| [it.0.to_le_bytes(), it.1.to_le_bytes()]).flatten().collect();
    bytes.extend(crc32c::crc32c(&bytes).to_le_bytes());
    bytes
}

fn shard(frames: &[Vec<u8>]) -> Vec<u8> {
    let (mut bytes, index) = compressed(frames, 1, false);
    bytes.extend(index_bytes(&index));
    bytes
}
