//! The cluster's keys and certificates, made anew with it: an authority, and who proves to be whom.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

use super::layout::{API_SERVICE, Layout, NODE, NODE_ADDRESS};
use crate::lab::Error;
use crate::platform::files;

/// Somebody with a certificate of the authority's.
struct Holder {
    /// The name of its files.
    file: &'static str,
    /// Who it is to the API.
    user: String,
    group: Option<&'static str>,
    /// Where it answers itself.
    answers_at: &'static [&'static str],
}

fn holders() -> [Holder; 6] {
    let of = |file, user: &str, group, answers_at| Holder {
        file,
        user: user.to_owned(),
        group,
        answers_at,
    };
    [
        of(
            "kube-apiserver",
            "kube-apiserver",
            None,
            &[
                NODE_ADDRESS,
                API_SERVICE,
                "kubernetes",
                "kubernetes.default",
                "kubernetes.default.svc",
                "kubernetes.default.svc.cluster.local",
            ],
        ),
        of("admin", "admin", Some("system:masters"), &[]),
        of(
            "kube-controller-manager",
            "system:kube-controller-manager",
            None,
            &["127.0.0.1"],
        ),
        of(
            "kube-scheduler",
            "system:kube-scheduler",
            None,
            &["127.0.0.1"],
        ),
        of("kube-proxy", "system:kube-proxy", None, &[]),
        of(
            "kubelet",
            &format!("system:node:{NODE}"),
            Some("system:nodes"),
            &[NODE, NODE_ADDRESS],
        ),
    ]
}

/// Makes all of them.
pub(super) fn make(layout: &Layout) -> Result<(), Error> {
    let folder = layout.keys();
    files::make(&folder)?;
    let (authority, key) = authority("mkys-cluster")?;
    let issuer = Issuer::from_params(&authority, &key);
    write(
        &folder,
        "ca",
        &authority.self_signed(&key).map_err(wrong)?.pem(),
        &key,
    )?;
    for holder in holders() {
        let key = KeyPair::generate().map_err(wrong)?;
        let certificate = certificate(&holder)?.signed_by(&key, &issuer);
        write(
            &folder,
            holder.file,
            &certificate.map_err(wrong)?.pem(),
            &key,
        )?;
    }
    // the authority of front proxies is its own only one
    let (front, key) = self::authority("front")?;
    write(
        &folder,
        "front",
        &front.self_signed(&key).map_err(wrong)?.pem(),
        &key,
    )?;
    let accounts = KeyPair::generate().map_err(wrong)?;
    files::write(
        &folder.join("service-accounts.pub"),
        &accounts.public_key_pem(),
    )?;
    write_key(&folder, "service-accounts", &accounts)
}

fn authority(name: &str) -> Result<(CertificateParams, KeyPair), Error> {
    let mut params = CertificateParams::new([]).map_err(wrong)?;
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::DigitalSignature,
    ];
    Ok((params, KeyPair::generate().map_err(wrong)?))
}

fn certificate(holder: &Holder) -> Result<CertificateParams, Error> {
    let names: Vec<_> = holder
        .answers_at
        .iter()
        .map(|name| (*name).to_owned())
        .collect();
    let mut params = CertificateParams::new(names).map_err(wrong)?;
    params
        .distinguished_name
        .push(DnType::CommonName, holder.user.as_str());
    if let Some(group) = holder.group {
        params
            .distinguished_name
            .push(DnType::OrganizationName, group);
    }
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ClientAuth,
        ExtendedKeyUsagePurpose::ServerAuth,
    ];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

fn write(folder: &Path, name: &str, certificate: &str, key: &KeyPair) -> Result<(), Error> {
    files::write(&folder.join(format!("{name}.crt")), certificate)?;
    write_key(folder, name, key)
}

fn write_key(folder: &Path, name: &str, key: &KeyPair) -> Result<(), Error> {
    let file = folder.join(format!("{name}.key"));
    files::write(&file, &key.serialize_pem())?;
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600))
        .map_err(Error::io("keep a key from others"))
}

fn wrong(error: rcgen::Error) -> Error {
    Error::Unexpected(format!("a certificate can't be made: {error}"))
}
