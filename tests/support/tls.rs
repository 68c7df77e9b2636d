//! Certificates, and a real TLS server by OpenSSL that a test's service stands behind.

use super::{HANGS_AFTER, Workshop, root};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};

/// A certificate authority of one test.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: rcgen::Certificate,
}

/// A server's certificate and its key, as files hold them.
pub struct Identity {
    pub certificate: String,
    pub key: String,
}

impl Authority {
    pub fn new(name: &str) -> Authority {
        let key = KeyPair::generate().expect("a key can be made");
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).expect("a certificate can be made");
        Authority { issuer: Issuer::new(params, key), certificate }
    }

    /// As `ca_file` wants it.
    pub fn pem(&self) -> String {
        self.certificate.pem()
    }

    pub fn der(&self) -> Vec<u8> {
        self.certificate.der().to_vec()
    }

    /// For this computer by its names, valid now.
    pub fn certify(&self) -> Identity {
        self.certify_with(|_| {})
    }

    /// The same, but for what is set otherwise.
    pub fn certify_with(&self, set: impl FnOnce(&mut CertificateParams)) -> Identity {
        let key = KeyPair::generate().expect("a key can be made");
        let mut params = of_this_computer();
        set(&mut params);
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate can be made");
        Identity { certificate: certificate.pem(), key: key.serialize_pem() }
    }
}

/// A certificate that nobody but itself vouches for.
pub fn self_signed() -> Identity {
    let key = KeyPair::generate().expect("a key can be made");
    let certificate = of_this_computer().self_signed(&key).expect("a certificate can be made");
    Identity { certificate: certificate.pem(), key: key.serialize_pem() }
}

fn of_this_computer() -> CertificateParams {
    CertificateParams::new(["localhost", "127.0.0.1", OUTSIDE].map(String::from)).expect("these are names")
}

/// A host that is not this computer, and that nobody but a proxy of a test's own can lead to.
pub const OUTSIDE: &str = "service.rheed.invalid";

/// A TLS server that passes everything on to a plain one on loopback. It ends when it is dropped.
pub struct TlsFront {
    child: Child,
    lines: Receiver<String>,
    port: u16,
    /// What was agreed on with each client so far.
    agreed: Vec<String>,
}

/// What a TLS server speaks.
pub struct Spoken<'a> {
    pub lowest: &'a str,
    pub highest: &'a str,
    /// By ALPN, with commas between; `-`: none.
    pub protocols: &'a str,
}

/// As most servers do today.
pub const MODERN: Spoken = Spoken { lowest: "TLSv1_2", highest: "TLSv1_3", protocols: "http/1.1" };

impl TlsFront {
    pub fn start(workshop: &Workshop, identity: &Identity, inner_port: u16) -> TlsFront {
        TlsFront::start_speaking(workshop, identity, inner_port, &MODERN)
    }

    pub fn start_speaking(workshop: &Workshop, identity: &Identity, inner_port: u16, spoken: &Spoken) -> TlsFront {
        let [certificate, key] = identity.write(workshop);
        let python = super::python().unwrap_or("python3".into());
        let mut command = Command::new(python);
        command.arg(root().join("tests/python/tls_front.py")).args([&certificate, &key]);
        command.arg(inner_port.to_string()).args([spoken.lowest, spoken.highest, spoken.protocols]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the tests need python3");
        let out = BufReader::new(child.stdout.take().expect("piped")).lines();
        let (says, lines) = mpsc::channel();
        std::thread::spawn(move || out.map_while(Result::ok).try_for_each(|line| says.send(line)));
        let port = lines.recv_timeout(HANGS_AFTER).expect("it tells its port").parse().expect("a port");
        TlsFront { child, lines, port, agreed: Vec::new() }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn url(&self) -> String {
        format!("https://localhost:{}", self.port)
    }

    /// TLS version and protocol of each connection so far, or why there is none.
    pub fn agreed(&mut self) -> &[String] {
        self.agreed.extend(self.lines.try_iter());
        &self.agreed
    }
}

/// A service that stands behind such a server, by whose address clients come.
#[cfg(feature = "receiver")]
pub fn serve(workshop: &Workshop, identity: &Identity, spoken: &Spoken) -> (rheed_stream::receiver::Receiver, TlsFront) {
    use super::service;
    let plain = service::start(workshop);
    let front = TlsFront::start_speaking(workshop, identity, service::address(&plain).port(), spoken);
    // Only now is it known by which address clients come.
    plain.stop();
    let service = service::start_with(workshop, |settings| {
        settings.listen = service::address(&plain);
        settings.key = Some(plain.key().into());
        settings.public_url = Some(front.url());
    });
    (service, front)
}

impl Drop for TlsFront {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Identity {
    /// Certificate and key, in files of the test's own.
    pub fn write(&self, workshop: &Workshop) -> [PathBuf; 2] {
        [workshop.write("server.pem", &self.certificate), workshop.write("server.key", &self.key)]
    }
}
