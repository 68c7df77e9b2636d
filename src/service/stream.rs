//! A stream at the service: what it is linked to, its creation, its end.

use super::{Answer, Service, Trouble, confirmation, later};
use crate::ids;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};
use uuid::Uuid;

/// What the service is told when a stream is created.
#[derive(Clone, Debug)]
pub struct NewStream<'a> {
    /// For people.
    pub name: &'a str,
    /// Declared.
    pub fps: f64,
    /// 0 = it does not rotate.
    pub rotations_per_min: f64,
    /// UUID.
    pub project_id: Option<&'a str>,
    /// Of a stream that does not rotate.
    pub azimuth: Option<&'a str>,
}

impl Service {
    /// The id of a sample given by name or UUID; a name is created when it is not known.
    pub async fn resolve_sample(&self, wanted: &str) -> Answer<String> {
        const PATH: &str = "/physical_samples/";
        let known = self.list(PATH).await?;
        if let Ok(id) = Uuid::parse_str(wanted) {
            let unknown = || {
                Trouble::Unknown(format!("physical_sample {id} does not exist at the service: give an existing UUID, or a name"))
            };
            return known.ids().find(|known| Uuid::parse_str(known).ok() == Some(id)).map(String::from).ok_or_else(unknown);
        }
        if let Some(id) = known.find(wanted) {
            return Ok(id);
        }
        let created = match self.post(PATH, Some(&json!({ "name": wanted.trim() }))).await {
            Ok(created) => created,
            // Somebody else created it meanwhile: the answer names it, or else the list does now.
            Err(Trouble::Refused { status: 409, words, in_json }) => match serde_json::from_str(&words) {
                Ok(existing) => existing,
                Err(_) => {
                    let known = self.list(PATH).await?;
                    return known.find(wanted).ok_or(Trouble::Refused { status: 409, words, in_json });
                }
            },
            Err(trouble) => return Err(trouble),
        };
        id_of(&created, &["physical_sample_id", "id"])
    }

    /// The ids of tags, in the order given; those that do not exist are created.
    pub async fn resolve_tags(&self, wanted: &[String]) -> Answer<Vec<String>> {
        const PATH: &str = "/tags/";
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let mut known = self.list(PATH).await?;
        let mut ids = Vec::new();
        for name in wanted {
            if let Some(id) = known.find(name) {
                ids.push(id);
                continue;
            }
            match self.post(PATH, Some(&json!({ "name": name }))).await {
                Ok(created) => ids.push(id_of(&created, &["id"])?),
                // A duplicate is refused: somebody else created it meanwhile.
                Err(trouble @ Trouble::Refused { .. }) => {
                    known = self.list(PATH).await?;
                    ids.push(known.find(name).ok_or(trouble)?);
                }
                Err(trouble) => return Err(trouble),
            }
        }
        Ok(ids)
    }

    /// Creates the stream and gives its data id. Not idempotent: an answer that is lost may leave an empty stream behind.
    pub async fn create_stream(&self, stream: &NewStream<'_>) -> Answer<String> {
        let rotates = stream.rotations_per_min > 0.0;
        let mut body = json!({
            "data_item_name": stream.name,
            "fps_capture_rate": stream.fps,
            "rotations_per_min": stream.rotations_per_min,
            "rotational_period": rotates.then(|| stream.fps * 60.0 / stream.rotations_per_min),
        });
        if let Some(project_id) = stream.project_id {
            body["project_id"] = project_id.into();
        }
        if let Some(azimuth) = stream.azimuth {
            body["azimuth_label"] = azimuth.into();
        }
        let answer = self.post("/rheed/stream/", Some(&body)).await?;
        match answer.as_str().filter(|id| ids::is_harmless(id)) {
            Some(data_id) => Ok(data_id.into()),
            None => Err(later(200, "an answer without a data id")),
        }
    }

    /// Links a stream to its sample.
    pub async fn link_sample(&self, data_id: &str, sample_id: &str) -> Answer<()> {
        let body = json!({ "data_ids": [data_id], "physical_sample_id": sample_id });
        self.tell("/data_entries/physical_sample", Some(&body)).await
    }

    /// Links a sample to a project.
    pub async fn track_sample(&self, project_id: &str, sample_id: &str) -> Answer<()> {
        let body = json!({ "physical_sample_id": sample_id, "set_active": true });
        self.tell(&format!("/projects/{project_id}/configuration/tracking_samples"), Some(&body)).await
    }

    /// Tags a stream.
    pub async fn link_tags(&self, data_id: &str, tag_ids: &[String]) -> Answer<()> {
        if tag_ids.is_empty() {
            return Ok(());
        }
        self.tell("/tags/data-items/", Some(&json!({ "data_ids": [data_id], "tag_ids": tag_ids }))).await
    }

    /// Ends a stream. The service answers 503 as long as its first analysis still runs.
    pub async fn end_stream(&self, data_id: &str) -> Answer<()> {
        self.tell(&format!("/rheed/stream/{data_id}/end"), None).await
    }

    /// A request whose answer says no more than that it was done.
    async fn tell(&self, path: &str, body: Option<&Value>) -> Answer<()> {
        confirmation(self.send(path, self.posted(path, body)).await?)
    }
}

/// A list of samples or tags: of each entry its id and name, however much else is told of it. `null` is an empty one.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct Entries(Option<Vec<Entry>>);

#[derive(Deserialize)]
#[serde(untagged)]
enum Entry {
    Named {
        id: String,
        #[serde(default)]
        name: Option<String>,
    },
    /// What is no such entry is passed over.
    Other(IgnoredAny),
}

impl Entries {
    fn ids(&self) -> impl Iterator<Item = &str> {
        self.0.iter().flatten().filter_map(|entry| match entry {
            Entry::Named { id, .. } => Some(id.as_str()),
            Entry::Other(_) => None,
        })
    }

    /// The id that goes by a name, trimmed, in either case.
    fn find(&self, wanted: &str) -> Option<String> {
        let wanted = wanted.trim().to_lowercase();
        self.0.iter().flatten().find_map(|entry| match entry {
            Entry::Named { id, name: Some(name) } if name.trim().to_lowercase() == wanted => Some(id.clone()),
            _ => None,
        })
    }
}

fn id_of(answer: &Value, keys: &[&str]) -> Answer<String> {
    let id = keys.iter().find_map(|key| answer.get(key).and_then(Value::as_str));
    id.map(String::from).ok_or_else(|| later(200, "an answer without an id"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_trimmed_and_in_either_case() {
        let list = json!([
            { "id": "1", "name": " GaAs ", "more": [{}] }, "nonsense", { "id": "2", "name": null }, { "id": 4 }, { "id": "3", "name": "InAs" }
        ]);
        let list: Entries = serde_json::from_value(list).unwrap();
        assert_eq!(list.find("gaas"), Some("1".into()));
        assert_eq!(list.find("INAS "), Some("3".into()));
        assert_eq!(list.find("Ga"), None);
        assert_eq!(list.ids().collect::<Vec<_>>(), ["1", "2", "3"]);
    }
}
