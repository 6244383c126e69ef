//! Why no answer came, in a few words instead of a library's chain of errors.

use std::error::Error;
use std::io;

/// The reason that the system gives, such as "connection refused".
pub(crate) fn why(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "timed out".to_owned();
    }
    let mut last: &(dyn Error + 'static) = error;
    while let Some(cause) = last.source() {
        last = cause;
    }
    match last.downcast_ref::<io::Error>().map(io::Error::kind) {
        Some(io::ErrorKind::ConnectionRefused) => "connection refused".to_owned(),
        _ => plain(&last.to_string()),
    }
}

/// The last error of a chain without what only its library's authors need.
fn plain(last: &str) -> String {
    let words = last
        .strip_prefix("failed to lookup address information: ")
        .unwrap_or(last);
    let words = words.split(" (os error").next().unwrap_or(words);
    if words.contains("CaUsedAsEndEntity") {
        return "its certificate is a certification authority's own (CA:TRUE), which may sign others and be no server's; have it signed by one"
            .to_owned();
    }
    match words {
        // the resolver's words for a name that it does not know, and for one without an address
        "Name or service not known" | "No address associated with hostname" => {
            "no such host".to_owned()
        }
        // an acronym stays one
        _ if words.chars().nth(1).is_some_and(char::is_uppercase) => words.to_owned(),
        _ => {
            let mut letters = words.chars();
            let first = letters.next().map(|first| first.to_ascii_lowercase());
            first.into_iter().chain(letters).collect()
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use super::*;

    #[test]
    fn the_systems_own_words_are_kept_short() {
        let cases = [
            (
                "failed to lookup address information: Name or service not known",
                "no such host",
            ),
            (
                "failed to lookup address information: Temporary failure in name resolution",
                "temporary failure in name resolution",
            ),
            ("No route to host (os error 113)", "no route to host"),
            (
                "invalid peer certificate: UnknownIssuer",
                "invalid peer certificate: UnknownIssuer",
            ),
            ("TLS was refused", "TLS was refused"),
            (
                "invalid peer certificate: Other(OtherError(CaUsedAsEndEntity))",
                "its certificate is a certification authority's own (CA:TRUE), which may sign others and be no server's; have it signed by one",
            ),
        ];
        for (last, expected) in cases {
            assert_eq!(plain(last), expected);
        }
    }

    #[tokio::test]
    async fn a_closed_port_and_an_unknown_name_are_told_apart() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let closed = free.local_addr().unwrap();
        drop(free);
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let ask = |url: String| http.get(url).send();
        let refused = ask(format!("http://{closed}")).await.unwrap_err();
        assert_eq!(why(&refused), "connection refused");
        let unknown = ask("http://nowhere.invalid".to_owned()).await.unwrap_err();
        let said = why(&unknown);
        // a machine without any name server can't know that there is none
        let known = ["no such host", "temporary failure in name resolution"];
        assert!(known.contains(&&*said), "{said}");
    }
}
