//! The cluster's keys and certificates, made anew with it: an authority, and who proves to be whom.

use std::path::Path;

use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose};

use super::layout::{API_SERVICE, Layout, NODE, NODE_ADDRESS};
use crate::lab::Error;
use crate::platform::authority::{Authority, wrong};
use crate::platform::{files, write_private};

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
    let authority = Authority::new("mkys-cluster")?;
    write(&folder, "ca", authority.pem(), authority.key())?;
    for holder in holders() {
        let (certificate, key) = authority.sign(certificate(&holder)?)?;
        write(&folder, holder.file, &certificate.pem(), &key)?;
    }
    // the authority of front proxies is its own only one
    let front = Authority::new("front")?;
    write(&folder, "front", front.pem(), front.key())?;
    let accounts = KeyPair::generate().map_err(wrong)?;
    files::write(
        &folder.join("service-accounts.pub"),
        &accounts.public_key_pem(),
    )?;
    write_key(&folder, "service-accounts", &accounts)
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
    write_private(&folder.join(format!("{name}.key")), &key.serialize_pem())
}
