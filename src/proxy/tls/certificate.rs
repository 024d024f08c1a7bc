//! Certificates: made by an authority of our own, or read from files.

use std::path::Path;

use chrono::{DateTime, Datelike as _, TimeDelta, Utc};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, date_time_ymd,
};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use super::{CertificateFiles, TlsError};

/// How long before now certificates begin, so that clients with late clocks take them.
const BEGUN_SINCE: TimeDelta = TimeDelta::days(60);
/// How long from now certificates are good. Apple's systems take none that are good for more than 825 days in all.
const GOOD_FOR: TimeDelta = TimeDelta::days(365);
/// How long ago an expired certificate ended.
const EXPIRED_SINCE: TimeDelta = TimeDelta::days(1);
/// The name of a certificate for another name, which nobody can own (RFC 6761, 6.4).
const OTHER_NAME: &str = "another-name.invalid";
/// The subject of the authority, which a person finds in a list of them.
const AUTHORITY_NAME: &str = "gameday fault proxy authority";

/// A certificate with its key, as a handshake shows it.
pub(super) struct Identity {
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: PrivateKeyDer<'static>,
}

impl Identity {
    /// Reads a chain and its key.
    pub(super) fn read(files: &CertificateFiles) -> Result<Self, TlsError> {
        let chain = read_certificates(&files.cert)?;
        let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|source| TlsError::Pem {
            what: "a private key",
            path: files.key.clone(),
            source,
        })?;
        Ok(Self { chain, key })
    }

    /// A certificate for `names` that nobody vouches for but itself.
    pub(super) fn self_signed(names: &[String], now: DateTime<Utc>) -> Result<Self, TlsError> {
        let make = || {
            let key = new_key()?;
            let certificate = for_server(names, now, now + GOOD_FOR)?.self_signed(&key)?;
            Ok(Self::of(certificate.der(), &key))
        };
        make().map_err(|source| cannot_make(names, source))
    }

    fn of(certificate: &CertificateDer<'static>, key: &KeyPair) -> Self {
        Self { chain: vec![certificate.clone()], key: PrivatePkcs8KeyDer::from(key.serialize_der()).into() }
    }
}

/// Reads all certificates of a PEM file, at least one.
pub(super) fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let fail = |source| TlsError::Pem { what: "a certificate", path: path.to_owned(), source };
    let read: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).map_err(fail)?.collect();
    let certificates = read.map_err(fail)?;
    if certificates.is_empty() {
        return Err(TlsError::NoCertificate { path: path.to_owned() });
    }
    Ok(certificates)
}

/// Signs certificates; its key lives in this process alone.
pub(super) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    now: DateTime<Utc>,
}

impl Authority {
    /// A new authority. `now` decides from when until when everything that it signs is good, to the day.
    pub(super) fn new(now: DateTime<Utc>) -> Result<Self, TlsError> {
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name.push(DnType::CommonName, AUTHORITY_NAME);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        set_time(&mut parameters, now - BEGUN_SINCE, now + GOOD_FOR);
        let issuer = new_key().and_then(|key| CertifiedIssuer::self_signed(parameters, key));
        let issuer = issuer.map_err(|source| cannot_make(&[AUTHORITY_NAME.to_owned()], source))?;
        Ok(Self { issuer, now })
    }

    /// Its certificate, for those who shall trust it.
    pub(super) fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// A certificate that is good for `names`.
    pub(super) fn good(&self, names: &[String]) -> Result<Identity, TlsError> {
        self.sign(names, self.now + GOOD_FOR)
    }

    /// A certificate that was good for `names`.
    pub(super) fn expired(&self, names: &[String]) -> Result<Identity, TlsError> {
        self.sign(names, self.now - EXPIRED_SINCE)
    }

    /// A certificate that is good for a name that is nobody's.
    pub(super) fn for_another_name(&self) -> Result<Identity, TlsError> {
        self.good(&[OTHER_NAME.to_owned()])
    }

    fn sign(&self, names: &[String], until: DateTime<Utc>) -> Result<Identity, TlsError> {
        let make = || {
            let key = new_key()?;
            let certificate = for_server(names, self.now, until)?.signed_by(&key, &self.issuer)?;
            Ok(Identity::of(certificate.der(), &key))
        };
        make().map_err(|source| cannot_make(names, source))
    }
}

fn new_key() -> Result<KeyPair, rcgen::Error> {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)
}

fn for_server(names: &[String], now: DateTime<Utc>, until: DateTime<Utc>) -> Result<CertificateParams, rcgen::Error> {
    let mut parameters = CertificateParams::new(names.to_vec())?;
    // The default subject is one and the same for all; clients look at the alternative names only.
    parameters.distinguished_name = rcgen::DistinguishedName::new();
    parameters.distinguished_name.push(DnType::CommonName, "gameday fault proxy");
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    parameters.use_authority_key_identifier_extension = true;
    set_time(&mut parameters, now - BEGUN_SINCE, until);
    Ok(parameters)
}

fn set_time(parameters: &mut CertificateParams, from: DateTime<Utc>, until: DateTime<Utc>) {
    let day = |moment: DateTime<Utc>| {
        let month = u8::try_from(moment.month()).expect("invariant: there are twelve months");
        let day = u8::try_from(moment.day()).expect("invariant: a month has at most 31 days");
        date_time_ymd(moment.year(), month, day)
    };
    parameters.not_before = day(from);
    parameters.not_after = day(until);
}

fn cannot_make(names: &[String], source: rcgen::Error) -> TlsError {
    TlsError::Certificate { names: names.to_vec(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_name_gets_no_certificate() {
        let authority = Authority::new(DateTime::UNIX_EPOCH + TimeDelta::days(20_000)).unwrap();
        let error = authority.good(&["schön.test".to_owned()]).err().expect("no name");
        assert_eq!(error.to_string(), "failed to make a certificate for schön.test");
    }

    #[test]
    fn a_file_without_a_certificate_is_told_from_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("empty.pem");
        assert!(matches!(read_certificates(&path), Err(TlsError::Pem { .. })));
        std::fs::write(&path, "nothing").unwrap();
        assert!(matches!(read_certificates(&path), Err(TlsError::NoCertificate { .. })));
    }

    #[test]
    fn two_authorities_share_no_key() {
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
        assert_ne!(Authority::new(now).unwrap().pem(), Authority::new(now).unwrap().pem());
    }
}
