//! A stream at the service: what it is linked to, its creation, its end.

use super::{Answer, Service, Trouble};
use crate::ids;
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
        let known = self.get(PATH).await?;
        if let Ok(id) = Uuid::parse_str(wanted) {
            return entries(&known)
                .map(|(known, _)| known)
                .find(|known| Uuid::parse_str(known).ok() == Some(id))
                .map(String::from)
                .ok_or_else(|| {
                    Trouble::Unknown(format!(
                        "physical_sample {id} does not exist at the service: give an existing UUID, or a name"
                    ))
                });
        }
        if let Some(id) = find(&known, wanted) {
            return Ok(id);
        }
        let created = match self.post(PATH, Some(&json!({ "name": wanted.trim() }))).await {
            Ok(created) => created,
            // Somebody else created it meanwhile: the answer names it, or else the list does now.
            Err(Trouble::Refused { status: 409, words }) => match serde_json::from_str(&words) {
                Ok(existing) => existing,
                Err(_) => {
                    let known = self.get(PATH).await?;
                    return find(&known, wanted).ok_or(Trouble::Refused { status: 409, words });
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
        let mut known = self.get(PATH).await?;
        let mut ids = Vec::new();
        for name in wanted {
            if let Some(id) = find(&known, name) {
                ids.push(id);
                continue;
            }
            match self.post(PATH, Some(&json!({ "name": name }))).await {
                Ok(created) => ids.push(id_of(&created, &["id"])?),
                // A duplicate is refused: somebody else created it meanwhile.
                Err(trouble @ Trouble::Refused { .. }) => {
                    known = self.get(PATH).await?;
                    ids.push(find(&known, name).ok_or(trouble)?);
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
            None => Err(Trouble::Later { status: 200, words: "an answer without a data id".into(), after: None }),
        }
    }

    /// Links a stream to its sample, and the sample to the project.
    pub async fn link_sample(&self, data_id: &str, sample_id: &str, project_id: Option<&str>) -> Answer<()> {
        let body = json!({ "data_ids": [data_id], "physical_sample_id": sample_id });
        self.tell("/data_entries/physical_sample", &body).await?;
        if let Some(project_id) = project_id {
            let body = json!({ "physical_sample_id": sample_id, "set_active": true });
            self.tell(&format!("/projects/{project_id}/configuration/tracking_samples"), &body).await?;
        }
        Ok(())
    }

    /// Tags a stream.
    pub async fn link_tags(&self, data_id: &str, tag_ids: &[String]) -> Answer<()> {
        if tag_ids.is_empty() {
            return Ok(());
        }
        self.tell("/tags/data-items/", &json!({ "data_ids": [data_id], "tag_ids": tag_ids })).await
    }

    /// Ends a stream. The service answers 503 as long as its first analysis still runs.
    pub async fn end_stream(&self, data_id: &str) -> Answer<()> {
        let path = format!("/rheed/stream/{data_id}/end");
        self.send(&path, self.posted(&path, None)).await.map(|_| ())
    }

    /// A request whose answer says no more than that it was done.
    async fn tell(&self, path: &str, body: &Value) -> Answer<()> {
        self.send(path, self.posted(path, Some(body))).await.map(|_| ())
    }
}

/// The (id, name) of a list's entries; what is no such entry is passed over.
fn entries(list: &Value) -> impl Iterator<Item = (&str, &str)> {
    list.as_array().into_iter().flatten().filter_map(|entry| {
        let id = entry.get("id").and_then(Value::as_str)?;
        Some((id, entry.get("name").and_then(Value::as_str).unwrap_or_default()))
    })
}

/// By name, trimmed, in either case.
fn find(list: &Value, wanted: &str) -> Option<String> {
    let wanted = wanted.trim().to_lowercase();
    entries(list).find(|(_, name)| name.trim().to_lowercase() == wanted).map(|(id, _)| id.into())
}

fn id_of(answer: &Value, keys: &[&str]) -> Answer<String> {
    keys.iter().find_map(|key| answer.get(key).and_then(Value::as_str)).map(String::from).ok_or_else(|| Trouble::Later {
        status: 200,
        words: "an answer without an id".into(),
        after: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_trimmed_and_in_either_case() {
        let list = json!([{ "id": "1", "name": " GaAs " }, "nonsense", { "id": "2" }, { "id": "3", "name": "InAs" }]);
        assert_eq!(find(&list, "gaas"), Some("1".into()));
        assert_eq!(find(&list, "INAS "), Some("3".into()));
        assert_eq!(find(&list, "Ga"), None);
    }
}
