//! An authority of certificates, as a university has one of its own that no system knows.

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

use crate::lab::Error;

/// An authority with its key.
#[derive(Debug)]
pub struct Authority {
    params: CertificateParams,
    key: KeyPair,
    pem: String,
}

impl Authority {
    /// A new one.
    ///
    /// # Errors
    /// When no key can be made.
    pub fn new(name: &str) -> Result<Self, Error> {
        let mut params = CertificateParams::new([]).map_err(wrong)?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![
            KeyUsagePurpose::KeyCertSign,
            KeyUsagePurpose::DigitalSignature,
        ];
        let key = KeyPair::generate().map_err(wrong)?;
        let pem = params.self_signed(&key).map_err(wrong)?.pem();
        Ok(Self { params, key, pem })
    }

    /// Its own certificate, PEM: what those have who trust it.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// Its key.
    #[must_use]
    pub const fn key(&self) -> &KeyPair {
        &self.key
    }

    /// A certificate of it, with a new key, for whoever answers at some names or addresses.
    ///
    /// # Errors
    /// When one of them is no name.
    pub fn certify(&self, names: &[&str]) -> Result<(Certificate, KeyPair), Error> {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        self.sign(CertificateParams::new(names).map_err(wrong)?)
    }

    /// A certificate of it that says what is wanted, with a new key.
    ///
    /// # Errors
    /// When it can't say so.
    pub fn sign(&self, params: CertificateParams) -> Result<(Certificate, KeyPair), Error> {
        let key = KeyPair::generate().map_err(wrong)?;
        let issuer = Issuer::from_params(&self.params, &self.key);
        let certificate = params.signed_by(&key, &issuer).map_err(wrong)?;
        Ok((certificate, key))
    }
}

pub(crate) fn wrong(error: rcgen::Error) -> Error {
    Error::Unexpected(format!("a certificate can't be made: {error}"))
}
