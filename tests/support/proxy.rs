//! A proxy for one test: it leads every host to one port on loopback, notes who was asked for, and keeps every byte that it saw.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// How it treats its clients.
#[derive(Clone, Default)]
pub struct Manners {
    /// Base64 of `user:password`, without which it answers 407.
    pub credentials: Option<&'static str>,
    /// Answers every request with this, until it is willing.
    pub refuses: Option<&'static str>,
}

/// It listens until the test's process ends.
pub struct Proxy {
    address: String,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    is_willing: AtomicBool,
    asked: Mutex<Vec<String>>,
    bytes: Mutex<Vec<u8>>,
}

impl Proxy {
    pub fn start(leads_to: u16) -> Proxy {
        Proxy::start_with(leads_to, Manners::default())
    }

    pub fn start_with(leads_to: u16, manners: Manners) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
        let address = listener.local_addr().expect("its port").to_string();
        let seen: Arc<Seen> = Arc::default();
        let noted = seen.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (noted, manners) = (noted.clone(), manners.clone());
                // A client that goes away is none of the proxy's business.
                std::thread::spawn(move || serve(client, leads_to, &manners, &noted));
            }
        });
        Proxy { address, seen }
    }

    /// Host and port.
    pub fn address(&self) -> &str {
        &self.address
    }

    pub fn port(&self) -> u16 {
        self.address.rsplit(':').next().and_then(|port| port.parse().ok()).expect("an address ends in a port")
    }

    /// It refuses nobody any more.
    pub fn is_willing(&self) {
        self.seen.is_willing.store(true, Ordering::Relaxed);
    }

    /// The first line of each request; of SOCKS: `SOCKS host:port`.
    pub fn asked(&self) -> Vec<String> {
        self.seen.asked.lock().expect("no test panics while it notes").clone()
    }

    /// Whether these bytes went through it in either direction.
    pub fn saw(&self, text: &str) -> bool {
        let bytes = self.seen.bytes.lock().expect("no test panics while it notes");
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    }
}

impl Seen {
    fn note(&self, bytes: &[u8]) {
        self.bytes.lock().expect("no test panics while it notes").extend(bytes);
    }

    fn asked(&self, line: String) {
        self.asked.lock().expect("no test panics while it notes").push(line);
    }
}

fn serve(mut client: TcpStream, leads_to: u16, manners: &Manners, seen: &Arc<Seen>) -> io::Result<()> {
    let mut first = [0];
    client.peek(&mut first)?;
    if first == [5] {
        socks(&mut client, seen)?;
        return pass_on(client, leads_to, seen, &[]);
    }
    // Byte by byte, so that nothing is taken that belongs to the tunnel.
    let mut head = String::new();
    let mut reader = BufReader::with_capacity(1, client.try_clone()?);
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head)? == 0 {
            return Ok(());
        }
    }
    seen.note(head.as_bytes());
    let line = head.lines().next().unwrap_or_default().to_string();
    let is_tunnel = line.starts_with("CONNECT ");
    seen.asked(line);
    let is_known = |credentials| {
        head.lines().any(|line| line.to_lowercase().starts_with("proxy-authorization:") && line.ends_with(credentials))
    };
    if manners.credentials.is_some_and(|credentials| !is_known(credentials)) {
        return write!(
            client,
            "HTTP/1.1 407 Who Are You\r\nproxy-authenticate: Basic realm=\"test\"\r\ncontent-length: 0\r\n\r\n"
        );
    }
    if let Some(status) = manners.refuses.filter(|_| !seen.is_willing.load(Ordering::Relaxed)) {
        return write!(client, "HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
    }
    if is_tunnel {
        write!(client, "HTTP/1.1 200 Go Ahead\r\n\r\n")?;
        return pass_on(client, leads_to, seen, &[]);
    }
    pass_on(client, leads_to, seen, head.as_bytes())
}

/// SOCKS 5, without a password: the host's name is left to the proxy.
fn socks(client: &mut TcpStream, seen: &Seen) -> io::Result<()> {
    let mut greeting = [0; 2];
    client.read_exact(&mut greeting)?;
    client.read_exact(&mut vec![0; greeting[1].into()])?;
    client.write_all(&[5, 0])?;
    let mut request = [0; 4];
    client.read_exact(&mut request)?;
    let host = match request[3] {
        1 => {
            let mut address = [0; 4];
            client.read_exact(&mut address)?;
            Ipv4Addr::from(address).to_string()
        }
        _ => {
            let mut length = [0];
            client.read_exact(&mut length)?;
            let mut name = vec![0; length[0].into()];
            client.read_exact(&mut name)?;
            String::from_utf8_lossy(&name).into_owned()
        }
    };
    let mut port = [0; 2];
    client.read_exact(&mut port)?;
    seen.asked(format!("SOCKS {host}:{}", u16::from_be_bytes(port)));
    client.write_all(&[5, 0, 0, 1, 127, 0, 0, 1, 0, 0])
}

/// Both directions, until one side has enough.
fn pass_on(client: TcpStream, leads_to: u16, seen: &Arc<Seen>, first: &[u8]) -> io::Result<()> {
    let mut server = TcpStream::connect(("127.0.0.1", leads_to))?;
    server.write_all(first)?;
    let (up, down) = ((client.try_clone()?, server.try_clone()?), (server, client));
    for (from, to) in [up, down] {
        let seen = seen.clone();
        std::thread::spawn(move || carry(from, to, &seen));
    }
    Ok(())
}

fn carry(mut from: TcpStream, mut to: TcpStream, seen: &Seen) {
    let mut piece = [0; 1 << 14];
    while let Ok(bytes @ 1..) = from.read(&mut piece) {
        seen.note(&piece[..bytes]);
        if to.write_all(&piece[..bytes]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
