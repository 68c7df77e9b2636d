//! A service that lies: it stands before the receiver, passes on what comes, and answers requests of one kind in a way that no
//! HTTP server could be brought to, a few times. After that it is honest, so that everything can arrive.

use super::stub::Request;
use std::collections::HashMap;
use std::io::{self, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// Every request that the library makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Time,
    Samples,
    NewSample,
    Tags,
    NewTag,
    Create,
    LinkSample,
    LinkProject,
    LinkTags,
    Presign,
    Put,
    End,
}

impl Kind {
    pub const ALL: [Kind; 12] = {
        use Kind::*;
        [Time, Samples, NewSample, Tags, NewTag, Create, LinkSample, LinkProject, LinkTags, Presign, Put, End]
    };

    /// Of a request like `POST /tags/`.
    pub fn of(request: &str) -> Option<Kind> {
        let (method, path) = request.split_once(' ')?;
        Some(match (method, path.split('?').next()?) {
            ("GET", "/gateway/time") => Kind::Time,
            ("GET", "/physical_samples/") => Kind::Samples,
            ("POST", "/physical_samples/") => Kind::NewSample,
            ("GET", "/tags/") => Kind::Tags,
            ("POST", "/tags/") => Kind::NewTag,
            ("POST", "/rheed/stream/") => Kind::Create,
            ("POST", "/data_entries/physical_sample") => Kind::LinkSample,
            ("POST", "/tags/data-items/") => Kind::LinkTags,
            ("POST", "/data_entries/raw_data/staged/upload_urls/") => Kind::Presign,
            ("POST", path) if path.starts_with("/projects/") => Kind::LinkProject,
            ("POST", path) if path.ends_with("/end") => Kind::End,
            ("PUT", _) => Kind::Put,
            _ => return None,
        })
    }
}

/// What is said instead of the truth.
#[derive(Clone, Debug)]
pub struct Lie {
    says: Says,
    then: Then,
    /// The request is passed on, and only its answer is kept back.
    done: bool,
    /// It is told at the request's head, and nothing more of the request is ever taken.
    early: bool,
}

#[derive(Clone, Debug)]
enum Says {
    Bytes(String),
    /// `{here}` in it is where the liar listens.
    Answer {
        status: u16,
        headers: String,
        body: String,
    },
}

/// And what follows.
#[derive(Clone, Debug)]
pub enum Then {
    /// The connection ends in order.
    Close,
    /// The connection is reset.
    Reset,
    /// Nothing, until the client has had enough.
    Silence,
    /// This, again and again, until the client has had enough.
    Forever(String),
    /// This, now and then, for ever.
    Drip(&'static str),
}

/// More is not sent, whoever listens.
const ENDLESS: u64 = 10 << 30;

impl Lie {
    /// Nothing like an answer.
    pub fn bytes(says: &str, then: Then) -> Lie {
        Lie { says: Says::Bytes(says.into()), then, done: false, early: false }
    }

    /// A whole answer. Headers are lines with their ends.
    pub fn answer(status: u16, headers: &str, body: &str) -> Lie {
        Lie {
            says: Says::Answer { status, headers: headers.into(), body: body.into() },
            then: Then::Close,
            done: false,
            early: false,
        }
    }

    /// The request is done all the same.
    pub fn after_doing_it(self) -> Lie {
        Lie { done: true, ..self }
    }

    /// The request's body is not waited for.
    pub fn before_it_came(self) -> Lie {
        Lie { early: true, ..self }
    }
}

/// It listens until it is dropped.
pub struct Liar {
    address: SocketAddr,
    truth: Arc<Truth>,
}

/// What is lied about, how, and how often still.
struct Plot {
    kind: Option<Kind>,
    lie: Lie,
    times: u64,
}

struct Truth {
    receiver: SocketAddr,
    /// Host and port.
    here: String,
    lie: Mutex<Option<Plot>>,
    lied: AtomicU64,
    /// What the longest of its answers came to, in bytes.
    longest: AtomicU64,
    honest: Mutex<HashMap<Kind, u64>>,
    /// Lines that nobody reads any more, and that are not closed either, so that nobody notices.
    unread: Mutex<Vec<TcpStream>>,
    held: Mutex<bool>,
    released: Condvar,
    over: AtomicBool,
}

impl Liar {
    /// In front of a receiver, which it will not lie about yet.
    pub fn before(receiver: SocketAddr) -> Liar {
        Liar::at(TcpListener::bind("127.0.0.1:0").expect("a port on loopback"), "127.0.0.1", receiver)
    }

    /// The same on a port that is there already, under a host's name.
    pub fn at(listener: TcpListener, host: &str, receiver: SocketAddr) -> Liar {
        let address = listener.local_addr().expect("its port");
        let truth = Arc::new(Truth {
            receiver,
            here: format!("{host}:{}", address.port()),
            lie: Mutex::default(),
            lied: AtomicU64::new(0),
            longest: AtomicU64::new(0),
            honest: Mutex::default(),
            unread: Mutex::default(),
            held: Mutex::new(false),
            released: Condvar::new(),
            over: AtomicBool::new(false),
        });
        let liar = Liar { address, truth: truth.clone() };
        std::thread::spawn(move || {
            for line in listener.incoming().flatten() {
                if truth.over.load(Ordering::Acquire) {
                    return;
                }
                let truth = truth.clone();
                // A client that goes away is none of the liar's business.
                std::thread::spawn(move || truth.serve(line));
            }
        });
        liar
    }

    /// Lies about requests of a kind, so many times.
    pub fn lie(&self, kind: Kind, lie: &Lie, times: u64) {
        *self.truth.lie.lock().expect(UNSPOILED) = Some(Plot { kind: Some(kind), lie: lie.clone(), times });
    }

    /// Lies about everything, until it is to be honest.
    pub fn lie_always(&self, lie: &Lie) {
        *self.truth.lie.lock().expect(UNSPOILED) = Some(Plot { kind: None, lie: lie.clone(), times: u64::MAX });
    }

    /// From now on.
    pub fn be_honest(&self) {
        *self.truth.lie.lock().expect(UNSPOILED) = None;
    }

    /// From now on nobody gets an answer, until `release`.
    pub fn hold(&self) {
        *self.truth.held.lock().expect(UNSPOILED) = true;
    }

    pub fn release(&self) {
        *self.truth.held.lock().expect(UNSPOILED) = false;
        self.truth.released.notify_all();
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.truth.here)
    }

    /// How often it has lied.
    pub fn lied(&self) -> u64 {
        self.truth.lied.load(Ordering::Acquire)
    }

    /// The bytes of its longest lie that it could get rid of.
    pub fn longest(&self) -> u64 {
        self.truth.longest.load(Ordering::Acquire)
    }

    /// How many requests of a kind were passed on with their answers.
    pub fn honest(&self, kind: Kind) -> u64 {
        self.truth.honest.lock().expect(UNSPOILED).get(&kind).copied().unwrap_or(0)
    }
}

const UNSPOILED: &str = "nobody panics while it is locked";

impl Drop for Liar {
    fn drop(&mut self) {
        self.truth.over.store(true, Ordering::Release);
        let _ = TcpStream::connect(self.address); // So that it looks.
    }
}

impl Truth {
    fn serve(&self, line: TcpStream) -> io::Result<()> {
        let mut reader = BufReader::new(&line);
        let mut request = Request::read_head(&mut reader)?;
        let kind = Kind::of(&request.what());
        if let Some(lie) = kind.and_then(|kind| self.lie_about(kind, true)) {
            self.lied.fetch_add(1, Ordering::AcqRel);
            lie.tell(&line, &self.here);
            self.unread.lock().expect(UNSPOILED).push(line);
            return Ok(());
        }
        request.read_body(&mut reader)?;
        let Some(kind) = kind else { return self.pass_on(&request, line, None) };
        let held = self.held.lock().expect(UNSPOILED);
        drop(self.released.wait_while(held, |held| *held).expect(UNSPOILED));
        let Some(lie) = self.lie_about(kind, false) else { return self.pass_on(&request, line, Some(kind)) };
        if lie.done {
            request.answer_of(self.receiver)?;
        }
        self.lied.fetch_add(1, Ordering::AcqRel);
        let said = lie.tell(&line, &self.here);
        self.longest.fetch_max(said, Ordering::AcqRel);
        Ok(())
    }

    fn lie_about(&self, kind: Kind, early: bool) -> Option<Lie> {
        let mut lie = self.lie.lock().expect(UNSPOILED);
        let is_meant = |plot: &&mut Plot| plot.lie.early == early && plot.kind.is_none_or(|about| about == kind);
        let plot = lie.as_mut().filter(is_meant).filter(|plot| plot.times > 0)?;
        plot.times -= 1;
        Some(plot.lie.clone())
    }

    fn pass_on(&self, request: &Request, mut line: TcpStream, kind: Option<Kind>) -> io::Result<()> {
        let mut answer = request.answer_of(self.receiver)?;
        if kind == Some(Kind::Presign) {
            answer = self.led_through_here(answer);
        }
        line.write_all(&answer)?;
        if let Some(kind) = kind {
            *self.honest.lock().expect(UNSPOILED).entry(kind).or_default() += 1;
        }
        line.shutdown(Shutdown::Write)
    }

    /// The same answer, with URLs that lead here instead of to the receiver.
    fn led_through_here(&self, answer: Vec<u8>) -> Vec<u8> {
        let text = String::from_utf8(answer).expect("a presign's answer is text");
        let (head, body) = text.split_once("\r\n\r\n").expect("an answer has a head");
        let body = body.replace(&self.receiver.to_string(), &self.here);
        let head: Vec<&str> = head.lines().filter(|line| !line.to_lowercase().starts_with("content-length:")).collect();
        format!("{}\r\ncontent-length: {}\r\n\r\n{body}", head.join("\r\n"), body.len()).into_bytes()
    }
}

impl Lie {
    /// Tells it; says how many bytes were taken.
    fn tell(&self, mut line: &TcpStream, here: &str) -> u64 {
        let says = match &self.says {
            Says::Bytes(bytes) => bytes.clone(),
            Says::Answer { status, headers, body } => {
                let body = body.replace("{here}", here);
                let headers = headers.replace("{here}", here);
                let length = body.len();
                format!("HTTP/1.1 {status} As Told\r\n{headers}connection: close\r\ncontent-length: {length}\r\n\r\n{body}")
            }
        };
        let mut said = says.len() as u64;
        if line.write_all(says.as_bytes()).is_err() {
            return 0;
        }
        match &self.then {
            Then::Close => {
                let _ = line.shutdown(Shutdown::Write);
            }
            Then::Reset => without_lingering(line),
            Then::Silence => {
                let _ = line.read(&mut [0]); // Until the client closes.
            }
            Then::Forever(again) => {
                let many = again.repeat((64 << 10) / again.len().min(64 << 10));
                while said < ENDLESS && line.write_all(many.as_bytes()).is_ok() {
                    said += many.len() as u64;
                }
            }
            Then::Drip(drop) => {
                while line.write_all(drop.as_bytes()).is_ok() {
                    said += drop.len() as u64;
                    std::thread::sleep(Duration::from_millis(20)); // That is what a drip is.
                }
            }
        }
        said
    }
}

/// Closing it then sends RST.
pub fn without_lingering(line: &TcpStream) {
    let linger = libc::linger { l_onoff: 1, l_linger: 0 };
    // SAFETY: the descriptor is open, and the size is that of what the pointer leads to.
    let set = unsafe {
        libc::setsockopt(
            line.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_LINGER,
            (&raw const linger).cast(),
            size_of::<libc::linger>() as libc::socklen_t,
        )
    };
    assert_eq!(set, 0, "{}", io::Error::last_os_error());
}
