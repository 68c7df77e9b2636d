//! Whom to trust, and what a failure of TLS means to whoever has to mend it.

use crate::codes::Code;
use crate::error::{Error, Result};
use crate::platform;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, KeyProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::sign::SigningKey;
use rustls::{CertificateError, CertificateError::*, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_platform_verifier::Verifier;
use std::error::Error as StdError;
use std::path::Path;
use std::result::Result as StdResult;
use std::sync::{Arc, OnceLock};

/// The authorities of a whole operating system are a tenth of this.
const LONGEST_CA_FILE: u64 = 4 << 20;

/// How the clients of an endpoint speak TLS. For one of plain http whom to trust is found out when somebody wants to know.
pub fn config(endpoint: &str, ca_file: Option<&Path>) -> Result<ClientConfig> {
    let named = ca_file.map_or(Ok(Vec::new()), authorities)?;
    // Chosen here, since more than one could be linked into a program.
    let provider = Arc::new(CryptoProvider { key_provider: &NoKeys, ..ring::default_provider() });
    let trust = Trust { named, provider: provider.clone(), verifier: OnceLock::new() };
    let cannot = |error: rustls::Error| {
        // A process that can open no file has no certificates, and that is all it is told.
        let why = platform::can_open_files().err().map(|error| error.to_string());
        let why = why.or_else(|| Some(meaning(&error)?.to_string())).unwrap_or_else(|| error.to_string());
        Error::new(Code::ENetwork, format!("the network cannot be set up: {why}"))
    };
    if !endpoint.starts_with("http:") {
        trust.verifier().map_err(cannot)?;
    }
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(cannot)?;
    let mut config = config.dangerous().with_custom_certificate_verifier(Arc::new(trust)).with_no_client_auth();
    config.alpn_protocols = vec!["h2".into(), "http/1.1".into()];
    Ok(config)
}

/// Trusts the authorities of the system, which may lie in hundreds of files, and those that were named.
#[derive(Debug)]
struct Trust {
    named: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
    verifier: OnceLock<Verifier>,
}

impl Trust {
    /// A failure is not kept: it may pass.
    fn verifier(&self) -> StdResult<&Verifier, rustls::Error> {
        if let Some(verifier) = self.verifier.get() {
            return Ok(verifier);
        }
        // A process that can open no file finds no authorities either, and would be content with those that were named.
        platform::can_open_files().map_err(|error| rustls::Error::General(error.to_string()))?;
        let verifier = if self.named.is_empty() {
            Verifier::new(self.provider.clone())?
        } else {
            Verifier::new_with_extra_roots(self.named.iter().cloned(), self.provider.clone())?
        };
        Ok(self.verifier.get_or_init(|| verifier))
    }
}

impl ServerCertVerifier for Trust {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> StdResult<ServerCertVerified, rustls::Error> {
        let verifier = self.verifier()?;
        let verify = || verifier.verify_server_cert(certificate, intermediates, name, ocsp, now);
        // Windows itself asks on the network whether a certificate was revoked, for ten seconds where nobody answers: what else the
        // thread has to do another one does meanwhile.
        if cfg!(windows) { tokio::task::block_in_place(verify) } else { verify() }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> StdResult<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> StdResult<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// The library has no certificate of its own to show: what signs with one is left out of it.
#[derive(Debug)]
struct NoKeys;

impl KeyProvider for NoKeys {
    fn load_private_key(&self, _: PrivateKeyDer<'static>) -> StdResult<Arc<dyn SigningKey>, rustls::Error> {
        Err(rustls::Error::General("no key is used".into()))
    }
}

/// The authorities in a file.
fn authorities(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let shown = path.display();
    let pem = platform::named_file(false)
        .open(path)
        .and_then(|file| platform::read_at_most(&file, LONGEST_CA_FILE))
        .map_err(|error| Error::new(Code::ENotFound, format!("ca_file {shown}: {error}")))?;
    let unusable = |why: &str| Error::new(Code::ENetwork, format!("ca_file {shown}: {why}"));
    let damaged = || unusable("a certificate in it is damaged");
    let mut roots = RootCertStore::empty();
    let mut certificates = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|_| damaged())?;
        roots.add(certificate.clone()).map_err(|_| damaged())?;
        certificates.push(certificate);
    }
    if certificates.is_empty() {
        return Err(unusable("no PEM certificate is in it: it should have a line -----BEGIN CERTIFICATE-----"));
    }
    Ok(certificates)
}

/// What to do about a failure, if it is one of TLS.
pub fn meaning(error: &(dyn StdError + 'static)) -> Option<&'static str> {
    match failure(error)? {
        rustls::Error::InvalidCertificate(certificate) => Some(meaning_of(certificate)),
        rustls::Error::InvalidMessage(_) => {
            Some("what answers there does not speak TLS: perhaps the address should begin with http")
        }
        rustls::Error::PeerIncompatible(_) | rustls::Error::AlertReceived(_) => {
            Some("no common ground for TLS was found: it has to be version 1.2 or 1.3")
        }
        // The verifier has no error of its own for that.
        rustls::Error::General(words) if words.starts_with("No CA certificates") => Some(
            "this computer knows no certificate authorities: install them (on Debian: ca-certificates), or give the service's as ca_file",
        ),
        _ => None,
    }
}

fn meaning_of(certificate: &CertificateError) -> &'static str {
    match certificate {
        UnknownIssuer => {
            "the certificate is from no authority that this computer trusts: where a proxy inspects TLS, or the service is your own, give its authority's certificate as ca_file"
        }
        Expired | ExpiredContext { .. } => "the certificate has expired, or this computer's clock is wrong",
        NotValidYet | NotValidYetContext { .. } => "the certificate is not valid yet, or this computer's clock is wrong",
        NotValidForName | NotValidForNameContext { .. } => "the certificate is for another host than the one that was asked for",
        _ => "the certificate is not right",
    }
}

/// The TLS library's own word in an error's chain. An I/O error does not name what it wraps as its source.
fn failure<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a rustls::Error> {
    let mut link = Some(error);
    while let Some(error) = link {
        let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        if let Some(failure) = error.downcast_ref() {
            return Some(failure);
        }
        link = wrapped.map(|wrapped| wrapped as &(dyn StdError + 'static)).or_else(|| error.source());
    }
    None
}
