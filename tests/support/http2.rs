//! HTTP/2 as the service's front speaks it: it passes requests on to a plain receiver, and plays tricks with streams and
//! connections that no server plays on demand. After so many it is honest, so that everything can arrive.

use super::liar::{Kind, without_lingering};
use super::stub::Request;
use super::tls::Identity;
use h2::server::{Connection, SendResponse};
use h2::{Reason, RecvStream};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::future::poll_fn;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use tokio::runtime::Runtime;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio_rustls::TlsAcceptor;

/// So much of a body comes before the front allows more: less than a shard has.
const WINDOW: u32 = 1024;

/// What is done to a request, in the middle of its body where it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trick {
    /// Its stream is reset.
    Reset(Reason),
    /// It is done, and its stream is reset instead of an answer.
    ResetWhenDone(Reason),
    /// No more of it is ever taken.
    Stall,
    /// It is answered with a status at its head, as if it had come; then its stream is reset without an error.
    AnswerEarly(u16),
    /// Its connection is reset.
    Cut,
    /// Its connection ends at once, with this reason.
    GoAway(Reason),
    /// Its connection takes no more requests, and ends after those that have begun.
    Farewell,
}

/// It listens until it is dropped.
pub struct Front {
    port: u16,
    stage: Arc<Stage>,
    runtime: Option<Runtime>,
}

#[derive(Default)]
struct Stage {
    receiver: OnceLock<SocketAddr>,
    plot: Mutex<Option<Plot>>,
    played: AtomicU64,
    connections: AtomicU64,
}

/// What is done to which requests, and how often still.
struct Plot {
    kind: Option<Kind>,
    trick: Trick,
    times: u64,
}

const UNSPOILED: &str = "nobody panics while it is locked";

impl Front {
    /// By TLS, on a port of its own. It has to be told where to pass requests on to.
    pub fn start(identity: &Identity) -> Front {
        let certificate = CertificateDer::from_pem_slice(identity.certificate.as_bytes()).expect("a certificate");
        let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).expect("a key");
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring has what they want")
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .expect("they belong together");
        config.alpn_protocols = vec![b"h2".to_vec()]; // Whoever speaks no HTTP/2 gets no connection.
        let acceptor = TlsAcceptor::from(Arc::new(config));

        let listener = TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
        let port = listener.local_addr().expect("its port").port();
        listener.set_nonblocking(true).expect("a listener can be set so");
        let stage = Arc::<Stage>::default();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let behind = stage.clone();
        runtime.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).expect("it listens");
            while let Ok((line, _)) = listener.accept().await {
                behind.connections.fetch_add(1, Ordering::AcqRel);
                // A client that goes away is none of the front's business.
                tokio::spawn(converse(behind.clone(), line, acceptor.clone()));
            }
        });
        Front { port, stage, runtime: Some(runtime) }
    }

    pub fn pass_on_to(&self, receiver: SocketAddr) {
        self.stage.receiver.set(receiver).expect("it is told once");
    }

    pub fn url(&self) -> String {
        format!("https://localhost:{}", self.port)
    }

    /// Plays a trick on requests of a kind, or on all, so many times.
    pub fn play(&self, kind: Option<Kind>, trick: Trick, times: u64) {
        *self.stage.plot.lock().expect(UNSPOILED) = Some(Plot { kind, trick, times });
    }

    /// How many tricks it has played.
    pub fn played(&self) -> u64 {
        self.stage.played.load(Ordering::Acquire)
    }

    /// How many connections were made to it.
    pub fn connections(&self) -> u64 {
        self.stage.connections.load(Ordering::Acquire)
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// A connection, until either side has had enough of it.
async fn converse(stage: Arc<Stage>, line: tokio::net::TcpStream, acceptor: TlsAcceptor) -> io::Result<()> {
    let line = line.into_std()?;
    let socket = line.try_clone()?;
    let secured = acceptor.accept(tokio::net::TcpStream::from_std(line)?).await?;
    let mut connection: Connection<_, _> =
        h2::server::Builder::new().initial_window_size(WINDOW).handshake(secured).await.map_err(io::Error::other)?;
    let (orders, mut ordered) = unbounded_channel();
    loop {
        tokio::select! {
            Some(trick) = ordered.recv() => match trick {
                Trick::Cut => return hang_up(&socket),
                Trick::GoAway(reason) => connection.abrupt_shutdown(reason),
                _ => connection.graceful_shutdown(),
            },
            came = connection.accept() => {
                let Some(came) = came else { return Ok(()) };
                let (request, respond) = came.map_err(io::Error::other)?;
                tokio::spawn(answer(stage.clone(), request, respond, orders.clone()));
            }
        }
    }
}

fn hang_up(socket: &TcpStream) -> io::Result<()> {
    without_lingering(socket);
    Ok(())
}

async fn answer(
    stage: Arc<Stage>,
    request: http::Request<RecvStream>,
    mut respond: SendResponse<bytes::Bytes>,
    orders: UnboundedSender<Trick>,
) -> Result<(), h2::Error> {
    let (head, mut body) = request.into_parts();
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    let what = format!("{} {path}", head.method);
    let trick = stage.trick_on(Kind::of(&what));
    if let Some(Trick::AnswerEarly(status)) = trick {
        let answer = http::Response::builder().status(status).body(()).expect("a status");
        respond.send_response(answer, true)?;
        return Ok(()); // The body goes unread, and with it the stream, without an error.
    }
    let mut came = Vec::new();
    if trick.is_some() {
        // What is not released holds the rest of the body back.
        if let Some(piece) = body.data().await {
            came.extend_from_slice(&piece?);
        }
    }
    match trick {
        Some(Trick::Reset(reason)) => {
            respond.send_reset(reason);
            return Ok(());
        }
        Some(Trick::Stall) => return poll_fn(|context| respond.poll_reset(context)).await.map(drop),
        Some(trick @ (Trick::Cut | Trick::GoAway(_) | Trick::Farewell)) => {
            let _ = orders.send(trick);
            if trick != Trick::Farewell {
                return poll_fn(|context| respond.poll_reset(context)).await.map(drop);
            }
        }
        _ => {}
    }
    let _ = body.flow_control().release_capacity(came.len());
    while let Some(piece) = body.data().await {
        let piece = piece?;
        body.flow_control().release_capacity(piece.len())?;
        came.extend_from_slice(&piece);
    }

    let mut lines = vec![format!("{what} HTTP/1.1"), "host: localhost".into(), format!("content-length: {}", came.len())];
    for (name, value) in head.headers.iter().filter(|(name, _)| *name != http::header::CONTENT_LENGTH) {
        lines.push(format!("{name}: {}", value.to_str().expect("the library's headers are text")));
    }
    let request = Request { head: lines, body: came };
    let receiver = *stage.receiver.get().expect("it was told where to pass requests on to");
    let answered = tokio::task::spawn_blocking(move || request.answer_of(receiver)).await.expect("it does not panic");
    if let Some(Trick::ResetWhenDone(reason)) = trick {
        respond.send_reset(reason);
        return Ok(());
    }
    let Ok(answered) = answered else {
        respond.send_reset(Reason::INTERNAL_ERROR);
        return Ok(());
    };
    let (head, body) = spoken_otherwise(&answered);
    respond.send_response(head, false)?.send_data(body, true)
}

/// An answer in HTTP/1.1, for HTTP/2.
fn spoken_otherwise(answer: &[u8]) -> (http::Response<()>, bytes::Bytes) {
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("an answer has a head");
    let head = std::str::from_utf8(&answer[..end]).expect("its head is text");
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).expect("it has a status");
    let mut spoken = http::Response::builder().status(status);
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        // What belongs to the connection stays there.
        if !["connection", "content-length", "transfer-encoding"].contains(&name.to_lowercase().as_str()) {
            spoken = spoken.header(name, value);
        }
    }
    (spoken.body(()).expect("it is an answer"), bytes::Bytes::copy_from_slice(&answer[end + 4..]))
}

impl Stage {
    fn trick_on(&self, kind: Option<Kind>) -> Option<Trick> {
        let mut plot = self.plot.lock().expect(UNSPOILED);
        let plot = plot.as_mut().filter(|plot| plot.times > 0 && (plot.kind.is_none() || plot.kind == kind))?;
        plot.times -= 1;
        self.played.fetch_add(1, Ordering::AcqRel);
        Some(plot.trick)
    }
}
