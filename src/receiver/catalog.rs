//! Physical samples and tags: names with ids, kept in `catalog.json`.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::Response;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::answer::{self, Refusal};
use super::disk;
use super::door::Call;
use super::fields::Fields;
use super::service::Service;

/// How many samples, and how many tags, are kept.
const MOST_NAMES: usize = 10_000;

#[derive(Clone, Serialize, Deserialize)]
struct Named {
    id: Uuid,
    name: String,
}

#[derive(Default, Serialize, Deserialize)]
struct Lists {
    samples: Vec<Named>,
    tags: Vec<Named>,
}

#[derive(Clone, Copy)]
enum Kind {
    Sample,
    Tag,
}

impl Lists {
    fn of(&mut self, kind: Kind) -> &mut Vec<Named> {
        match kind {
            Kind::Sample => &mut self.samples,
            Kind::Tag => &mut self.tags,
        }
    }
}

pub(super) struct Catalog {
    path: PathBuf,
    lists: Mutex<Lists>,
}

/// What became of a name that was to be added.
enum Added {
    Fresh(Uuid),
    There(Uuid),
}

impl Catalog {
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        let path = folder.join("catalog.json");
        let lists = disk::read_json(&path)?.unwrap_or_default();
        Ok(Self { path, lists: Mutex::new(lists) })
    }

    pub(super) fn has_sample(&self, id: Uuid) -> bool {
        self.lists.lock().samples.iter().any(|sample| sample.id == id)
    }

    pub(super) fn has_tag(&self, id: Uuid) -> bool {
        self.lists.lock().tags.iter().any(|tag| tag.id == id)
    }

    fn list(&self, kind: Kind) -> Value {
        json!(self.lists.lock().of(kind))
    }

    fn add(&self, kind: Kind, name: &str) -> Result<Added, Refusal> {
        let name = name.trim();
        let mut lists = self.lists.lock();
        let list = lists.of(kind);
        let alike = |other: &&Named| other.name.to_lowercase() == name.to_lowercase();
        if let Some(there) = list.iter().find(alike) {
            return Ok(Added::There(there.id));
        }
        if list.len() >= MOST_NAMES {
            return Err(Refusal::too_many("names"));
        }
        let id = Uuid::new_v4();
        list.push(Named { id, name: name.to_owned() });
        disk::replace_json(&self.path, &*lists)?;
        Ok(Added::Fresh(id))
    }
}

/// `GET /physical_samples/`
pub(super) async fn list_samples(service: Arc<Service>, _: Call) -> Result<Response, Refusal> {
    Ok(answer::json(service.catalog.list(Kind::Sample)))
}

/// `GET /tags/`
pub(super) async fn list_tags(service: Arc<Service>, _: Call) -> Result<Response, Refusal> {
    Ok(answer::json(service.catalog.list(Kind::Tag)))
}

/// `POST /physical_samples/`: one that is there already is named in the refusal.
pub(super) async fn add_sample(service: Arc<Service>, call: Call) -> Result<Response, Refusal> {
    match service.catalog.add(Kind::Sample, &name_of(call)?)? {
        Added::Fresh(id) => Ok(answer::json(json!({ "physical_sample_id": id }))),
        Added::There(id) => Err(Refusal::new(StatusCode::CONFLICT, json!({ "physical_sample_id": id }))),
    }
}

/// `POST /tags/`: one that is there already is refused without a word about which.
pub(super) async fn add_tag(service: Arc<Service>, call: Call) -> Result<Response, Refusal> {
    match service.catalog.add(Kind::Tag, &name_of(call)?)? {
        Added::Fresh(id) => Ok(answer::json(json!({ "id": id }))),
        Added::There(_) => Err(Refusal::new(StatusCode::BAD_REQUEST, "a tag of this name is there already")),
    }
}

fn name_of(call: Call) -> Result<String, Refusal> {
    let mut fields = Fields::of(call.json)?;
    let name = fields.text("name")?;
    fields.done()?;
    Ok(name)
}
