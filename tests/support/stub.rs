//! A service of a test's own wording, for answers that no ingest service gives: ids that lead elsewhere, URLs to strangers.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// It listens until the test's process ends.
pub struct Stub {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Stub {
    /// Answers each request, told as `POST /tags/`, with the status and the text that are given for it. Status 0: not at all.
    pub fn start(answer: impl Fn(&str) -> (u16, String) + Send + Sync + 'static) -> Stub {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
        let url = format!("http://{}", listener.local_addr().expect("its port"));
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let noted = asked.clone();
        std::thread::spawn(move || {
            for line in listener.incoming().flatten() {
                let _ = serve(line, &noted, &answer); // A client that goes away is none of the stub's business.
            }
        });
        Stub { url, asked }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// Method and path of every request so far.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("no test panics while it notes").clone()
    }
}

/// One request a connection, so that none waits for another.
fn serve(mut line: TcpStream, noted: &Mutex<Vec<String>>, answer: &impl Fn(&str) -> (u16, String)) -> std::io::Result<()> {
    let request = Request::read(&line)?;
    let (status, body) = answer(&request.what());
    noted.lock().expect("no test panics while it notes").push(request.what());
    if status == 0 {
        return Ok(());
    }
    write!(line, "HTTP/1.1 {status} As Told\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

/// A request as it came over a connection.
pub struct Request {
    /// Its lines, the first one too, without their ends.
    pub head: Vec<String>,
    pub body: Vec<u8>,
}

impl Request {
    /// The whole of it.
    pub fn read(line: &TcpStream) -> std::io::Result<Request> {
        let mut reader = BufReader::new(line);
        let mut request = Request::read_head(&mut reader)?;
        request.read_body(&mut reader)?;
        Ok(request)
    }

    /// Its head; its body, if it has one, is still to come.
    pub fn read_head(reader: &mut impl BufRead) -> std::io::Result<Request> {
        let mut head = Vec::new();
        loop {
            let mut text = String::new();
            reader.read_line(&mut text)?;
            if text.trim().is_empty() {
                break;
            }
            head.push(text.trim().to_string());
        }
        Ok(Request { head, body: Vec::new() })
    }

    pub fn read_body(&mut self, reader: &mut impl Read) -> std::io::Result<()> {
        let length = self.head.iter().find_map(|line| line.to_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
        reader.take(length.unwrap_or(0)).read_to_end(&mut self.body)?;
        Ok(())
    }

    /// What a plain server says to it, head and body.
    pub fn answer_of(&self, server: SocketAddr) -> std::io::Result<Vec<u8>> {
        let mut line = TcpStream::connect(server)?;
        let mut head = String::new();
        for header in self.head.iter().filter(|header| !header.to_lowercase().starts_with("connection:")) {
            head.push_str(&format!("{header}\r\n"));
        }
        line.write_all(format!("{head}connection: close\r\n\r\n").as_bytes())?;
        line.write_all(&self.body)?;
        let mut answer = Vec::new();
        line.read_to_end(&mut answer)?;
        Ok(answer)
    }

    /// Method, path and query: `POST /tags/`.
    pub fn what(&self) -> String {
        self.head.first().map(|first| first.trim_end_matches(" HTTP/1.1").to_string()).unwrap_or_default()
    }
}
