//! Faults in the log, with what they mean and what an operator does. The guide's table is made of them (`troubleshooting`).

/// A line of the log.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, strum::Display, strum::EnumIter, strum::EnumMessage,
)]
pub enum Warning {
    /// NGINX has died.
    #[strum(
        to_string = "NGINX does not run; starting it",
        message = "its master was killed or has crashed; websockets were closed",
        detailed_message = "nothing; where it comes again and again, see `STATE/error.log` and the kernel's log for what ends it"
    )]
    NginxGone,
    /// NGINX does not start.
    #[strum(
        to_string = "failed to start NGINX; retrying",
        message = "nothing is served; the reason is in the line",
        detailed_message = "mend what it names; it is tried again each second"
    )]
    NginxNotStarted,
    /// NGINX cannot be told anything.
    #[strum(
        to_string = "NGINX has no control socket any more; starting it anew",
        message = "nothing could be withdrawn any more; websockets are closed",
        detailed_message = "keep other programs out of the state folder"
    )]
    NoControlSocket,
    /// NGINX was not told.
    #[strum(
        to_string = "NGINX does not take the routes; retrying",
        message = "changes are written and not served yet",
        detailed_message = "see the reason in the line; `GET /v1/health` tells when it is over"
    )]
    Untold,
    /// There was more than one NGINX.
    #[strum(
        to_string = "ending processes of NGINX that serve from this state without a master, or beside another one",
        message = "workers had outlived a killed master, or somebody started a second NGINX from this state",
        detailed_message = "leave the start of NGINX to `mkys-edge`"
    )]
    Strays,
    /// The pid file is not written.
    #[strum(
        to_string = "failed to write NGINX' pid file",
        message = "`nginx -s reload` does not find it; `mkys-edge` does",
        detailed_message = "make room, or give the state folder back to root"
    )]
    PidFile,
    /// The error log grows.
    #[strum(
        to_string = "failed to turn NGINX' log over",
        message = "`STATE/error.log` is larger than 64 MiB and goes on growing",
        detailed_message = "see the reason in the line"
    )]
    LogNotTurned,
    /// Another memory size waits for a new NGINX.
    #[strum(
        to_string = "another nginx.routes_mib takes effect when NGINX starts anew, which closes all websockets",
        message = "the running NGINX keeps the memory for routes that it was started with",
        detailed_message = "`systemctl stop mkys-edge; mkys-edge stop-nginx; systemctl start mkys-edge` when nobody minds"
    )]
    OtherMemory,
    /// A transaction failed.
    #[strum(
        to_string = "the database did not take changes",
        message = "the requests that were under way got a 500, and nothing of them is written",
        detailed_message = "see the reason in the line: a full or read-only disk, most of the time; it recovers by itself"
    )]
    NotWritten,
    /// A question to the database failed.
    #[strum(
        to_string = "the database failed",
        message = "a request got a 500",
        detailed_message = "see the reason in the line; put a backup back where the file is damaged"
    )]
    Database,
    /// A row is damaged.
    #[strum(
        to_string = "a row of the database cannot be read",
        message = "what it describes is not served; all else is",
        detailed_message = "put a backup back, or ask for the route again"
    )]
    Damaged,
    /// Lapsed session routes stay.
    #[strum(
        to_string = "failed to delete lapsed session routes; retrying",
        message = "they are not served any more, and take room",
        detailed_message = "see the reason in the line"
    )]
    NotReaped,
    /// Something was refused for want of room.
    #[strum(
        to_string = "refused for want of room",
        message = "the disk is nearly full, or NGINX' memory for routes; the line says which",
        detailed_message = "make room on the disk, or raise `nginx.routes_mib`"
    )]
    NoRoom,
    /// Somebody failed to sign in.
    #[strum(
        to_string = "a sign-in with no administrator's token",
        message = "somebody at the address `from` typed a token that is none, was revoked, or is a requester's",
        detailed_message = "nothing, unless it goes on: block the address"
    )]
    SignIn,
    /// There is no randomness.
    #[strum(
        to_string = "no random bytes",
        message = "no token can be made",
        detailed_message = "see that the system has `getrandom`, also in its container"
    )]
    NoRandom,
    /// A page is broken.
    #[strum(
        to_string = "a page cannot be rendered",
        message = "a fault of `mkys-edge`",
        detailed_message = "report it with the line"
    )]
    Page,
}
