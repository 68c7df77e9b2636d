//! Whom to trust, and what a failure of TLS means to whoever has to mend it.

use crate::codes::Code;
use crate::error::{Error, Result};
use crate::platform;
use reqwest::Certificate;
use rustls::CertificateError::{self, *};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::error::Error as StdError;
use std::fs::File;
use std::path::Path;

/// The authorities of a whole operating system are a tenth of this.
const LONGEST_CA_FILE: u64 = 4 << 20;

/// The authorities in a file.
pub fn authorities(path: &Path) -> Result<Vec<Certificate>> {
    let shown = path.display();
    let pem = File::open(path)
        .and_then(|file| platform::read_at_most(&file, LONGEST_CA_FILE))
        .map_err(|error| Error::new(Code::ENotFound, format!("ca_file {shown}: {error}")))?;
    let unusable = |why: &str| Error::new(Code::ENetwork, format!("ca_file {shown}: {why}"));
    let damaged = || unusable("a certificate in it is damaged");
    let mut roots = RootCertStore::empty();
    let mut certificates = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|_| damaged())?;
        roots.add(certificate.clone()).map_err(|_| damaged())?;
        certificates.push(Certificate::from_der(&certificate).map_err(|_| damaged())?);
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
        rustls::Error::General(_) if lacks_authorities(error) => Some(
            "this computer knows no certificate authorities: install them (on Debian: ca-certificates), or give the service's as ca_file",
        ),
        _ => None,
    }
}

/// Whether TLS cannot be set up because the system trusts nobody. The verifier has no error of its own for that.
pub fn lacks_authorities(error: &(dyn StdError + 'static)) -> bool {
    matches!(failure(error), Some(rustls::Error::General(words)) if words.starts_with("No CA certificates"))
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
