//! All streams: how they are created, linked, ended and asked about.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::Response;
use parking_lot::Mutex;
use serde_json::{Value, json};
use uuid::Uuid;

use super::answer::{self, Refusal};
use super::disk;
use super::door::Call;
use super::fields::{self, Fields};
use super::service::Service;
use super::stream::{self, About, State, Stream, StreamRecord};

/// How many streams are kept in one data folder.
const MOST_STREAMS: usize = 10_000;

pub(super) struct Streams {
    data: PathBuf,
    all: Mutex<HashMap<Uuid, Arc<Stream>>>,
}

impl Streams {
    /// Takes up every stream of a data folder.
    pub(super) fn open(data: &Path) -> io::Result<Self> {
        disk::private_folder(&stream::incoming(data))?;
        let mut all = HashMap::new();
        for entry in data.read_dir()? {
            let name = entry?.file_name();
            if let Some(data_id) = name.to_str().and_then(|name| name.parse().ok())
                && let Some(stream) = Stream::open(data, data_id)?
            {
                all.insert(data_id, Arc::new(stream));
            }
        }
        Ok(Self { data: data.to_owned(), all: Mutex::new(all) })
    }

    pub(super) fn get(&self, data_id: Uuid) -> Option<Arc<Stream>> {
        self.all.lock().get(&data_id).cloned()
    }

    pub(super) fn find(&self, data_id: Uuid) -> Result<Arc<Stream>, Refusal> {
        self.get(data_id).ok_or_else(|| Refusal::unknown("data_id"))
    }

    fn find_all(&self, data_ids: &[Uuid]) -> Result<Vec<Arc<Stream>>, Refusal> {
        data_ids.iter().map(|&data_id| self.find(data_id)).collect()
    }

    fn create(&self, about: About) -> Result<(), Refusal> {
        let mut all = self.all.lock();
        if all.len() >= MOST_STREAMS {
            return Err(Refusal::too_many("streams"));
        }
        all.insert(about.data_id, Arc::new(Stream::create(&self.data, about)?));
        Ok(())
    }

    pub(super) fn records(&self) -> Vec<StreamRecord> {
        let mut streams: Vec<_> = self.all.lock().values().cloned().collect();
        streams.sort_by(|one, other| one.about().created_unix_ms.total_cmp(&other.about().created_unix_ms));
        streams.iter().map(|stream| stream.record()).collect()
    }
}

/// `POST /rheed/stream/`
pub(super) async fn create(service: Arc<Service>, call: Call) -> Result<Response, Refusal> {
    let mut fields = Fields::of(call.json)?;
    let name = fields.text("data_item_name")?;
    let positive = |value: &Value| value.as_f64().filter(|number| *number > 0.0);
    let fps = fields.take("fps_capture_rate", "a number above 0", positive)?;
    let rpm = fields.take("rotations_per_min", "a number from 0 on", |value| value.as_f64().filter(|rpm| *rpm >= 0.0))?;
    let rotational_period = match rpm > 0.0 {
        false => fields.take("rotational_period", "null, as nothing rotates,", |value| value.is_null().then_some(None))?,
        true => {
            let frames_per_turn = fps * 60.0 / rpm;
            let close = |number: &f64| (number - frames_per_turn).abs() <= 1e-6 * frames_per_turn;
            let wanted = format!("fps * 60 / rpm = {frames_per_turn}");
            fields.take("rotational_period", &wanted, |value| value.as_f64().filter(close).map(Some))?
        }
    };
    let project_id = fields.take_if_there("project_id", "a UUID", fields::uuid)?;
    let azimuth_label = fields
        .take_if_there("azimuth_label", "a text, and a stationary stream,", |value| fields::text(value).filter(|_| rpm == 0.0))?;
    fields.done()?;

    let about = About {
        data_id: Uuid::new_v4(),
        name,
        fps_capture_rate: fps,
        rotations_per_min: rpm,
        rotational_period,
        project_id,
        azimuth_label,
        physical_sample_id: None,
        tag_ids: Vec::new(),
        created_unix_ms: disk::unix_ms(),
        state: State::Active,
    };
    let (data_id, told) = (about.data_id, format!("stream {} created: {:?}, {fps} fps", about.data_id, about.name));
    service.streams.create(about)?;
    service.tell(&told);
    let mut response = answer::json(json!(data_id));
    response.extensions_mut().insert(answer::About(data_id));
    Ok(response)
}

/// `POST /data_entries/physical_sample`
pub(super) async fn link_sample(service: Arc<Service>, call: Call) -> Result<Response, Refusal> {
    let mut fields = Fields::of(call.json)?;
    let streams = service.streams.find_all(&fields.uuids("data_ids")?)?;
    let sample = sample_of(&service, &mut fields)?;
    fields.done()?;
    for stream in streams {
        stream.change(|about| about.physical_sample_id = Some(sample))?;
    }
    Ok(answer::json(json!({ "physical_sample_id": sample })))
}

/// `POST /projects/{project_id}/configuration/tracking_samples`. Projects are not kept: any UUID will do, and that it
/// was asked for stands in the journal.
pub(super) async fn track_sample(service: Arc<Service>, call: Call) -> Result<Response, Refusal> {
    let project_id = call.id("project_id", "project_id")?;
    let mut fields = Fields::of(call.json)?;
    let sample = sample_of(&service, &mut fields)?;
    fields.take("set_active", "true", |value| value.as_bool().filter(|active| *active))?;
    fields.done()?;
    Ok(answer::json(json!({ "project_id": project_id, "physical_sample_id": sample })))
}

fn sample_of(service: &Service, fields: &mut Fields) -> Result<Uuid, Refusal> {
    let sample = fields.uuid("physical_sample_id")?;
    match service.catalog.has_sample(sample) {
        true => Ok(sample),
        false => Err(Refusal::unknown("physical_sample_id")),
    }
}

/// `POST /tags/data-items/`
pub(super) async fn link_tags(service: Arc<Service>, call: Call) -> Result<Response, Refusal> {
    let mut fields = Fields::of(call.json)?;
    let streams = service.streams.find_all(&fields.uuids("data_ids")?)?;
    let tags = fields.uuids("tag_ids")?;
    fields.done()?;
    if !tags.iter().all(|&tag| service.catalog.has_tag(tag)) {
        return Err(Refusal::unknown("tag_ids"));
    }
    for stream in streams {
        stream.change(|about| {
            for tag in &tags {
                if !about.tag_ids.contains(tag) {
                    about.tag_ids.push(*tag);
                }
            }
        })?;
    }
    Ok(answer::json(json!({ "tag_ids": tags })))
}

/// `POST /rheed/stream/{data_id}/end`. Ending twice is harmless.
pub(super) async fn end(service: Arc<Service>, call: Call) -> Result<Response, Refusal> {
    for (name, value) in call.query() {
        if name != "force_success" || !["true", "false"].contains(&value.as_str()) {
            let wanted = "force_success=true, or nothing,";
            return Err(Refusal::field("query", wanted, &format!("{name}={value}").into()));
        }
    }
    let (stream, data_id) = stream_of(&service, call)?;
    stream.change(|about| about.state = State::Ended)?;
    let record = stream.record();
    let (chunks, frames) = (record.chunks.len() as u64 + record.discarded.chunks, record.frames() + record.discarded.frames);
    service.tell(&format!("stream {data_id} ended: {chunks} chunks, {frames} frames"));
    Ok(answer::json(json!("stream_finalizing")))
}

/// `POST /rheed/stream/{data_id}/pause`
pub(super) async fn pause(service: Arc<Service>, call: Call) -> Result<Response, Refusal> {
    turn(&service, call, State::Paused)
}

/// `POST /rheed/stream/{data_id}/resume`
pub(super) async fn resume(service: Arc<Service>, call: Call) -> Result<Response, Refusal> {
    turn(&service, call, State::Active)
}

fn turn(service: &Service, call: Call, state: State) -> Result<Response, Refusal> {
    let (stream, data_id) = stream_of(service, call)?;
    stream.check_open()?;
    stream.change(|about| about.state = state)?;
    Ok(answer::json(json!(data_id)))
}

/// The stream in the path of a request that must have no body.
fn stream_of(service: &Service, call: Call) -> Result<(Arc<Stream>, Uuid), Refusal> {
    let data_id = call.id("data_id", "data_id")?;
    let stream = service.streams.find(data_id)?;
    match call.json {
        Value::Null => Ok((stream, data_id)),
        body => Err(Refusal::field("body", "none", &body)),
    }
}

/// `GET /data_entries/?data_ids=a`
pub(super) async fn status(service: Arc<Service>, call: Call) -> Result<Response, Refusal> {
    let mut entries = Vec::new();
    for (name, value) in call.query() {
        let Some(data_id) = value.parse().ok().filter(|_| name == "data_ids") else {
            return Err(Refusal::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "query: data_ids=<UUID> is wanted, once or several times",
            ));
        };
        let about = service.streams.find(data_id)?.about();
        let status = match about.state {
            State::Active => "stream_active",
            State::Paused => "stream_interrupted",
            State::Ended => "success",
        };
        entries.push(json!({ "data_id": data_id, "data_item_name": about.name, "pipeline_status": status }));
    }
    Ok(answer::json(Value::Array(entries)))
}
