//! How the CLI and the plugin find each other: the environment that the CLI gives, and the one line that it reads.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

/// What the CLI puts in the environment to say that it is one.
const COOKIE: &str = "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2";

/// The major version of the protocol that this crate speaks.
const PROTOCOL: &str = "6";

/// Why the CLI and the plugin don't come together.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum HandshakeError {
    /// Somebody started the binary by hand.
    #[error(
        "This program is a provider for Terraform and OpenTofu, and is started by them.\n\
         Put it where they look for providers (a filesystem mirror, or dev_overrides in the CLI's configuration), \
         name it in required_providers, and run `terraform init` or `tofu init`."
    )]
    NotStartedByCli,
    /// The CLI is too old.
    #[error(
        "the CLI speaks the plugin protocol in version {0}, this provider in version 6: use a newer CLI"
    )]
    NoCommonProtocol(String),
    /// The CLI gave no certificate, so nobody could be told from it.
    #[error(
        "the CLI gave no certificate (PLUGIN_CLIENT_CERT), and this provider serves nobody without one"
    )]
    NoClientCertificate,
    /// The CLI's certificate is none.
    #[error("the CLI's certificate (PLUGIN_CLIENT_CERT) cannot be read")]
    BadClientCertificate,
}

/// What the CLI gave.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Invitation {
    /// The only certificate that may connect. `None` if the person switched TLS off, as debuggers and HashiCorp's test framework
    /// do; then it is the socket's folder alone that keeps other people out.
    pub(crate) client: Option<CertificateDer<'static>>,
    /// Where the socket is to be.
    pub(crate) socket_folder: PathBuf,
}

impl Invitation {
    /// Reads it from the environment.
    pub(crate) fn read(
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, HandshakeError> {
        let text = |name: &str| variable(name).and_then(|value| value.into_string().ok());
        if text("TF_PLUGIN_MAGIC_COOKIE").as_deref() != Some(COOKIE) {
            return Err(HandshakeError::NotStartedByCli);
        }
        // An old CLI doesn't say, and takes what the line says or complains itself.
        if let Some(versions) = text("PLUGIN_PROTOCOL_VERSIONS")
            && !versions
                .split(',')
                .any(|version| version.trim() == PROTOCOL)
        {
            return Err(HandshakeError::NoCommonProtocol(versions));
        }
        let pem = text("PLUGIN_CLIENT_CERT").filter(|pem| !pem.is_empty());
        let switched_off = text("TF_DISABLE_PLUGIN_TLS").is_some_and(|value| !value.is_empty());
        let client = match pem {
            Some(pem) => Some(
                CertificateDer::from_pem_slice(pem.as_bytes())
                    .map_err(|_| HandshakeError::BadClientCertificate)?,
            ),
            None if switched_off => None,
            None => return Err(HandshakeError::NoClientCertificate),
        };
        let socket_folder = variable("PLUGIN_UNIX_SOCKET_DIR")
            .filter(|folder| !folder.is_empty())
            .map_or_else(std::env::temp_dir, PathBuf::from);
        Ok(Self {
            client,
            socket_folder,
        })
    }
}

/// The line that tells the CLI where to connect and whom to expect there.
pub(crate) fn line(socket: &Path, certificate: Option<&CertificateDer<'_>>) -> String {
    let certificate = certificate.map(|certificate| STANDARD_NO_PAD.encode(certificate));
    let certificate = certificate.unwrap_or_default();
    format!(
        "1|{PROTOCOL}|unix|{}|grpc|{certificate}\n",
        socket.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invitation(variables: &[(&str, &str)]) -> Result<Invitation, HandshakeError> {
        Invitation::read(|name| {
            variables
                .iter()
                .find(|(n, _)| *n == name)
                .map(|(_, value)| OsString::from(value))
        })
    }

    #[test]
    fn the_environment_decides() {
        let pem = rcgen::generate_simple_self_signed(["localhost".to_owned()])
            .unwrap()
            .cert
            .pem();
        let cookie = ("TF_PLUGIN_MAGIC_COOKIE", COOKIE);
        let cert = ("PLUGIN_CLIENT_CERT", pem.as_str());
        let (old, both) = (
            ("PLUGIN_PROTOCOL_VERSIONS", "4,5"),
            ("PLUGIN_PROTOCOL_VERSIONS", "5,6"),
        );
        type Case<'a> = (&'a [(&'a str, &'a str)], Option<HandshakeError>);
        let off = ("TF_DISABLE_PLUGIN_TLS", "1");
        let table: [Case<'_>; 11] = [
            (&[], Some(HandshakeError::NotStartedByCli)),
            (
                &[("TF_PLUGIN_MAGIC_COOKIE", "biscuit"), cert],
                Some(HandshakeError::NotStartedByCli),
            ),
            (&[cookie], Some(HandshakeError::NoClientCertificate)),
            (
                &[cookie, ("PLUGIN_CLIENT_CERT", "")],
                Some(HandshakeError::NoClientCertificate),
            ),
            (
                &[cookie, ("PLUGIN_CLIENT_CERT", "x")],
                Some(HandshakeError::BadClientCertificate),
            ),
            (
                &[cookie, cert, old],
                Some(HandshakeError::NoCommonProtocol("4,5".to_owned())),
            ),
            (&[cookie, cert, both], None),
            (&[cookie, cert], None),
            (&[cookie, off], None),
            (
                &[cookie, ("TF_DISABLE_PLUGIN_TLS", "")],
                Some(HandshakeError::NoClientCertificate),
            ),
            (
                &[cookie, off, ("PLUGIN_CLIENT_CERT", "x")],
                Some(HandshakeError::BadClientCertificate),
            ),
        ];
        for (variables, expected) in table {
            assert_eq!(invitation(variables).err(), expected, "{variables:?}");
        }
    }

    #[test]
    fn the_folder_is_the_clis_choice() {
        let pem = rcgen::generate_simple_self_signed(["localhost".to_owned()])
            .unwrap()
            .cert
            .pem();
        let given = invitation(&[
            ("TF_PLUGIN_MAGIC_COOKIE", COOKIE),
            ("PLUGIN_CLIENT_CERT", &pem),
            ("PLUGIN_UNIX_SOCKET_DIR", "/somewhere"),
        ]);
        assert_eq!(given.unwrap().socket_folder, Path::new("/somewhere"));
    }

    #[test]
    fn the_line_is_what_the_cli_reads() {
        let certificate = CertificateDer::from(vec![1, 2, 3, 4]);
        assert_eq!(
            line(Path::new("/tmp/x/plugin"), Some(&certificate)),
            "1|6|unix|/tmp/x/plugin|grpc|AQIDBA\n"
        );
    }
}
