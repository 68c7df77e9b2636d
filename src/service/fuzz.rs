//! The fuzz target `answers`: the client asks, and whatever it asks, the input answers.
//!
//! The input's first byte says what is asked; the rest, cut at `CUT`, are answers as they come over the line. All connections, those
//! to strangers too, lead to one server in this process, which looks whether the key goes where it must not.

use super::{ChunkFacts, NewStream, Service, Trouble, UploadTrouble};
use crate::ids;
use crate::log::Logger;
use crate::options::Options;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

const KEY: &str = "fuzz-key-0123456789";
const CUT: &[u8] = b"\n====\n";
/// No answer takes longer than the server, which takes no time.
const HANGS_AFTER: Duration = Duration::from_secs(10);

struct Ground {
    service: Service,
    server: Arc<Server>,
    runtime: tokio::runtime::Runtime,
    shard: PathBuf,
}

#[derive(Default)]
struct Server {
    address: String,
    answers: Mutex<VecDeque<Vec<u8>>>,
    /// A request that bears the key and should not.
    betrayed: Mutex<Option<String>>,
}

/// One try.
pub fn answer(input: &[u8]) {
    static GROUND: OnceLock<Ground> = OnceLock::new();
    let Ground { service, server, runtime, shard } = GROUND.get_or_init(Ground::lay);
    let Some((what, mut rest)) = input.split_first() else { return };
    {
        let mut answers = server.answers.lock();
        answers.clear();
        while let Some(cut) = rest.windows(CUT.len()).position(|bytes| bytes == CUT) {
            answers.push_back(rest[..cut].to_vec());
            rest = &rest[cut + CUT.len()..];
        }
        answers.push_back(rest.to_vec());
    }
    let asked = async {
        match what % 7 {
            0 => {
                let stream =
                    NewStream { name: "fuzz", fps: 10.0, rotations_per_min: 3.0, project_id: None, azimuth: Some("[110]") };
                let id = service.create_stream(&stream).await.inspect_err(judge);
                assert!(id.is_err() || id.is_ok_and(|id| ids::is_harmless(&id)));
            }
            1 => drop(service.resolve_sample("GaAs on sapphire").await.inspect_err(judge)),
            2 => drop(service.resolve_sample("123e4567-e89b-12d3-a456-426614174000").await.inspect_err(judge)),
            3 => {
                let tags = ["GaAs".to_string(), "night".to_string()];
                let ids = service.resolve_tags(&tags).await.inspect_err(judge);
                assert!(ids.is_err() || ids.is_ok_and(|ids| ids.len() == tags.len()));
            }
            4 => drop(service.end_stream("an-id").await.inspect_err(judge)),
            5 => drop(service.exchange_time().await.inspect_err(judge)),
            _ => {
                let facts = ChunkFacts {
                    data_id: "an-id".into(),
                    chunk: 3,
                    is_rotating: false,
                    raw_frame_rate: 10.0,
                    average_frame_rate: 10.0,
                    chunk_size: 20,
                    dims: (20, 16, 32),
                    start_unix_ms: 1.7e12,
                    end_unix_ms: 1.7e12 + 2000.0,
                    clock_ms: None,
                };
                let shard = std::fs::File::open(shard).expect("it was just written");
                let sent = service.upload(&facts, shard, SHARD.len() as u64, |_| {}).await;
                if let Err(UploadTrouble::Presign(trouble) | UploadTrouble::Put(trouble)) = &sent {
                    judge(trouble);
                }
                if let Err(trouble) = sent {
                    assert!(!trouble.to_string().contains(KEY));
                }
            }
        }
    };
    runtime.block_on(async { tokio::time::timeout(HANGS_AFTER, asked).await }).expect("an answer is read in no time");
    if let Some(request) = server.betrayed.lock().take() {
        panic!("the key goes elsewhere: {request}");
    }
}

/// What is said of any trouble.
fn judge(trouble: &Trouble) {
    let said = trouble.to_string();
    assert!(!said.contains(KEY), "the key is told: {said}");
    assert!(said.len() < 4000 && !said.chars().any(char::is_control), "{said:?}");
    let mut backoff = super::Backoff::default();
    assert!(backoff.next(trouble.asked_delay()) < Duration::from_secs(3600));
    let _ = (trouble.is_refusal(), trouble.status(), trouble.to_error());
}

const SHARD: &[u8] = b"a shard";

fn shard_path() -> PathBuf {
    std::env::temp_dir().join(format!("rheed-fuzz-{}.shard", std::process::id()))
}

impl Ground {
    fn lay() -> Ground {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let address = format!("http://{}", listener.local_addr().expect("a port"));
        let server = Arc::new(Server { address: address.clone(), ..Server::default() });
        let serving = server.clone();
        std::thread::spawn(move || {
            for line in listener.incoming().flatten() {
                let _ = serving.serve(line); // A client that goes away is none of its business.
            }
        });
        let options = format!("fps=10\nspool_dir=/spool\nlog_file=none\napi_key={KEY}\nendpoint={address}\nproxy={address}");
        let options = Options::for_stream(&options).expect("good options");
        let log = Logger::new().0.open(&options, Path::new("/spool"), "fuzz").0;
        let service = Service::new(&address, &options, log).expect("a client");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let shard = shard_path();
        std::fs::write(&shard, SHARD).expect("a file can be written");
        Ground { service, server, runtime, shard }
    }
}

impl Server {
    /// One request a connection.
    fn serve(&self, line: TcpStream) -> std::io::Result<()> {
        line.set_read_timeout(Some(HANGS_AFTER))?;
        let mut reader = BufReader::new(line.try_clone()?);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head)? == 0 {
                return Ok(());
            }
        }
        let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
        std::io::copy(&mut reader.by_ref().take(length.unwrap_or(0)), &mut std::io::sink())?;
        let target = head.split(' ').nth(1).unwrap_or_default();
        let is_ours = target.starts_with('/') || target.strip_prefix(&self.address).is_some_and(|path| path.starts_with('/'));
        let is_upload = head.starts_with("PUT ");
        // Where an answer had the key in a URL, it is the service that has told it.
        let bears_key = head.lines().skip(1).any(|line| line.contains(KEY) && !line.to_lowercase().starts_with("host:"));
        if bears_key && (!is_ours || is_upload) {
            *self.betrayed.lock() = Some(head.clone());
        }
        let answer = self.answers.lock().pop_front().unwrap_or_default();
        let mut line = line;
        line.write_all(&answer)
    }
}

#[cfg(test)]
#[test]
fn every_input_of_the_corpus_is_withstood() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/answers");
    for input in std::fs::read_dir(corpus).expect("the corpus is there") {
        answer(&std::fs::read(input.expect("a file").path()).expect("a file can be read"));
    }
    std::fs::remove_file(shard_path()).expect("it is ours");
}
