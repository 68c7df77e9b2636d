//! A service of a test's own wording, for answers that no ingest service gives: ids that lead elsewhere, URLs to strangers.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// It listens until the test's process ends.
pub struct Stub {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Stub {
    /// Answers each request, told as `POST /tags/`, with the status and the text that are given for it.
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
    let mut reader = BufReader::new(line.try_clone()?);
    let mut head = Vec::new();
    loop {
        let mut text = String::new();
        reader.read_line(&mut text)?;
        if text.trim().is_empty() {
            break;
        }
        head.push(text.trim().to_string());
    }
    let length = head.iter().find_map(|line| line.to_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
    std::io::copy(&mut reader.take(length.unwrap_or(0)), &mut std::io::sink())?;
    let request = head.first().map(|first| first.trim_end_matches(" HTTP/1.1").to_string()).unwrap_or_default();
    let (status, body) = answer(&request);
    noted.lock().expect("no test panics while it notes").push(request);
    write!(line, "HTTP/1.1 {status} As Told\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}
