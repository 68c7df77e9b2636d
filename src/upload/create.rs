//! Making a stream exist at the service. While init waits, what it is linked to is found first, so that a bad link leaves nothing
//! behind; later the stream comes first, and its links beside its uploads.

use super::{Answering, Courier, FirstAnswer, Refused, on_disk};
use crate::codes::{self, Code, Stat};
use crate::error::Error;
use crate::log::Level;
use crate::service::{Backoff, NewStream, Trouble};
use crate::spool::StreamFacts;

/// What a stream is linked to, by the service's ids.
#[derive(Clone, Default)]
struct Links {
    sample_id: Option<String>,
    tag_ids: Vec<String>,
}

impl Courier {
    /// Until the stream exists; gives its data id. `None`: there is nothing to send, so it need not exist.
    pub(super) async fn exist(&mut self) -> Result<Option<String>, Refused> {
        let (mut backoff, mut refusals) = (Backoff::default(), Backoff::after_refusals());
        loop {
            if let Some((data_id, _)) = self.folder.created() {
                self.ledger.set_data_id(&data_id);
                return Ok(Some(data_id));
            }
            // The stream that init waits for does not stand in line behind what earlier processes left.
            let workers = self.workers.clone();
            let turn = if self.first_answer.is_some() { None } else { workers.acquire().await.ok() };
            if self.folder.is_drained() {
                return Ok(None);
            }
            let created = self.create().await;
            drop(turn);
            let trouble = match created {
                Ok(()) => {
                    self.answer(FirstAnswer::Connected);
                    continue;
                }
                // A shutdown takes the connections away: that says nothing of the service, and whoever waits learns of the stop.
                Err(_) if self.cancel.is_cancelled() => return Err(Refused),
                Err(trouble) => trouble,
            };
            if trouble.is_refusal() && self.is_awaited() {
                self.answer(FirstAnswer::Refused(trouble.to_error()));
                return Err(Refused);
            }
            let pause = if trouble.is_refusal() {
                self.refused(&trouble);
                refusals.next(None)
            } else {
                self.ledger.notices.note_failure(&trouble.to_error());
                self.note_offline(format!("the stream is not created yet: {trouble}"));
                backoff.next(trouble.asked_delay())
            };
            self.answer(FirstAnswer::Offline(trouble.to_string()));
            if self.nothing_to_send_within(pause).await {
                return Ok(None);
            }
        }
    }

    fn answer(&mut self, answer: FirstAnswer) {
        if let Some(answering) = self.first_answer.take() {
            answering.give(answer);
        }
    }

    /// Whether init waits for the first answer; if so, until it has it.
    fn is_awaited(&self) -> bool {
        self.first_answer.as_ref().is_some_and(Answering::hold)
    }

    /// Whether the stream is closed without a chunk before the pause is over.
    async fn nothing_to_send_within(&self, pause: std::time::Duration) -> bool {
        let drained = async {
            while !self.folder.is_drained() {
                self.folder.changed.notified().await;
            }
        };
        tokio::time::timeout(pause, drained).await.is_ok()
    }

    async fn create(&mut self) -> Result<(), Trouble> {
        let facts = self.folder.facts();
        // For init all or nothing; later the frames do not wait for links, which may not be found for long.
        let links = match self.first_answer.as_ref().is_some_and(Answering::is_awaited) {
            true => match self.find_links(&facts, KeyElsewhere::Unknown).await {
                Err(trouble) if self.is_awaited() => return Err(trouble),
                links => links.ok(),
            },
            false => None,
        };
        let stream = NewStream {
            name: &facts.stream_name,
            fps: facts.fps,
            rotations_per_min: facts.rotations_per_min,
            project_id: facts.project_id.as_deref(),
            azimuth: facts.azimuth.as_deref(),
        };
        let data_id = self.service.create_stream(&stream).await?;
        let Some(links) = links else {
            self.keep_created(&data_id).await;
            return Ok(());
        };
        if let Err(trouble) = self.link(&data_id, &links, &facts, KeyElsewhere::Unknown).await {
            if trouble.is_refusal() && self.is_awaited() {
                // Init fails: the stream must not be left open.
                self.end_unlinked(&data_id).await;
                let status = trouble.status();
                let words = format!("stream {data_id} could not be linked and was ended: {trouble}");
                return Err(Trouble::Refused { status, words, in_json: true });
            }
            self.keep_created(&data_id).await;
            return Ok(()); // It exists; the links are tried again.
        }
        self.keep_created(&data_id).await;
        self.keep_linked().await;
        Ok(())
    }

    /// Init waits for this, but not for long: then it goes on without.
    async fn end_unlinked(&self, data_id: &str) {
        let (service, data_id) = (self.service.clone(), data_id.to_string());
        let ending = tokio::spawn(async move {
            let mut backoff = Backoff::default();
            for _ in 0..ENDING_TRIES {
                match service.end_stream(&data_id).await {
                    Err(trouble) if !trouble.is_refusal() => tokio::time::sleep(backoff.next(trouble.asked_delay())).await,
                    _ => return,
                }
            }
        });
        let _ = tokio::time::timeout(ENDING_PATIENCE, ending).await;
    }

    async fn keep_created(&self, data_id: &str) {
        let (endpoint, id) = (self.service.endpoint().to_string(), data_id.to_string());
        if let Err(error) = on_disk(&self.folder, move |folder| folder.set_created(&endpoint, &id)).await {
            self.say(Level::Error, || format!("the data id {data_id} could not be written to the spool: {error}"));
        }
        self.ledger.set_data_id(data_id);
        self.note_connected(data_id);
    }

    async fn keep_linked(&self) {
        if let Err(error) = on_disk(&self.folder, |folder| folder.set_linked()).await {
            self.say(Level::Error, || format!("the spool cannot note that the stream is linked: {error}"));
        }
    }

    /// While init waits, a link that is refused fails the whole; later it is left out.
    async fn find_links(&self, facts: &StreamFacts, key: KeyElsewhere) -> Result<Links, Trouble> {
        let mut links = Links::default();
        if let Some(sample) = &facts.physical_sample {
            match self.service.resolve_sample(sample).await {
                Ok(id) => links.sample_id = Some(id),
                Err(trouble) => self.leave_out("physical sample", trouble, key)?,
            }
        }
        match self.service.resolve_tags(&facts.tags).await {
            Ok(ids) => links.tag_ids = ids,
            Err(trouble) => self.leave_out("tags", trouble, key)?,
        }
        Ok(links)
    }

    fn leave_out(&self, what: &str, trouble: Trouble, key: KeyElsewhere) -> Result<(), Trouble> {
        let is_final = trouble.is_final() || (key == KeyElsewhere::Works && matches!(trouble, Trouble::Auth { .. }));
        if !is_final || self.is_awaited() {
            return Err(trouble);
        }
        let text = format!("the stream goes on without its {what}: {trouble}");
        self.ledger.notices.note_failure(&Error::new(trouble.to_error().code, text.clone()));
        self.ledger.notices.tell(codes::Event::Refused, trouble.status().into(), text);
        Ok(())
    }

    async fn link(&self, data_id: &str, links: &Links, facts: &StreamFacts, key: KeyElsewhere) -> Result<(), Trouble> {
        if let Some(sample_id) = &links.sample_id {
            if let Err(trouble) = self.service.link_sample(data_id, sample_id).await {
                self.leave_out("physical sample", trouble, key)?;
            } else if let Some(project_id) = &facts.project_id
                && let Err(trouble) = self.service.track_sample(project_id, sample_id).await
            {
                self.leave_out("physical sample among those that its project tracks", trouble, key)?;
            }
        }
        match self.service.link_tags(data_id, &links.tag_ids).await {
            Ok(()) => Ok(()),
            Err(trouble) => self.leave_out("tags", trouble, key),
        }
    }

    /// A stream that exists without its links gets them beside its uploads and its end, which do not wait for it.
    pub(super) async fn link_if_needed(&self, data_id: &str) {
        if self.folder.created().is_none_or(|(_, linked)| linked) {
            return;
        }
        let facts = self.folder.facts();
        let (mut backoff, mut refusals) = (Backoff::default(), Backoff::after_refusals());
        // As long as chunks are under way, the service is away or the key refused; and a few times more.
        let mut tries_left = TRIES_AFTER_THE_CHUNKS;
        let (mut refused, mut confirmed) = (0, self.ledger.get(Stat::ChunksConfirmed));
        while tries_left > 0 && !(self.folder.is_drained() && self.is_left_for_later()) {
            let key = if refused < REFUSALS_OF_A_LINK { KeyElsewhere::Unknown } else { KeyElsewhere::Works };
            let linked = match self.find_links(&facts, key).await {
                Ok(links) => self.link(data_id, &links, &facts, key).await,
                Err(trouble) => Err(trouble),
            };
            let Err(trouble) = linked else {
                self.keep_linked().await;
                return;
            };
            self.say(Level::Notice, || format!("the stream is not linked yet: {trouble}"));
            let pause = match &trouble {
                // Chunks and the end tell whether it is the key: it may be good for them, but not for that project.
                Trouble::Auth { .. } => {
                    let confirmed_before = std::mem::replace(&mut confirmed, self.ledger.get(Stat::ChunksConfirmed));
                    let works = confirmed > confirmed_before || (self.folder.is_drained() && !self.ledger.is_refused());
                    refused += u32::from(works);
                    refusals.next(None)
                }
                _ => {
                    tries_left -= u32::from(self.folder.is_drained() && !self.ledger.is_offline());
                    backoff.next(trouble.asked_delay())
                }
            };
            tokio::time::sleep(pause).await;
        }
        if tries_left > 0 {
            return; // Another time, with what is left.
        }
        let text = "the stream is without its links, which could not be made";
        self.ledger.notices.note_failure(&Error::plain(Code::ENetwork, text, [0; 4]));
        self.ledger.notices.tell(codes::Event::Refused, 0, text);
        self.keep_linked().await;
    }
}

/// What is known of the key beside a link that it is refused for.
#[derive(Clone, Copy, PartialEq)]
enum KeyElsewhere {
    /// It may be refused altogether: that may end.
    Unknown,
    /// Chunks are taken with it: it is the link that is refused.
    Works,
}

/// Of a stream that init will not have: the service may answer 503 for a minute or more.
const ENDING_TRIES: u32 = 12;
const ENDING_PATIENCE: std::time::Duration = std::time::Duration::from_secs(2);
/// Then the stream stays without its links.
const TRIES_AFTER_THE_CHUNKS: u32 = 8;
/// So often refused to a key that works otherwise, a link is left out at the next.
const REFUSALS_OF_A_LINK: u32 = 2;
