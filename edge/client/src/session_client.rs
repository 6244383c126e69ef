//! The client's half of session routes: delegating a prefix, and what its holder does with it.

use reqwest::Method;
use uuid::Uuid;

use crate::client::EdgeClient;
use crate::error::EdgeError;
use crate::session::{
    Delegation, DelegationRequest, NewDelegation, Renewal, Renewed, Session, SessionSpec,
    SessionStatus,
};

impl EdgeClient {
    /// Delegates an approved route's path prefix; only an administrator's token may, and not that of who asked
    /// for the route. The holder's token is in the answer, this once.
    ///
    /// # Errors
    ///
    /// [`EdgeError::Conflict`] when the route is approved for nobody, or the holder has a delegation already.
    pub async fn delegate(
        &self,
        route: Uuid,
        request: &DelegationRequest,
    ) -> Result<NewDelegation, EdgeError> {
        let path = format!("/v1/routes/{route}/delegations");
        self.call(Method::POST, &path, Some(request)).await
    }

    /// A route's delegations.
    ///
    /// # Errors
    ///
    /// [`EdgeError::NotFound`] when the token may see no such route.
    pub async fn delegations(&self, route: Uuid) -> Result<Vec<Delegation>, EdgeError> {
        let path = format!("/v1/routes/{route}/delegations");
        self.call(Method::GET, &path, None::<&()>).await
    }

    /// Revokes a delegation: its token is worth nothing, its session routes end and their websockets are closed.
    /// One that is not there is no error.
    ///
    /// # Errors
    ///
    /// [`EdgeError::Forbidden`] when the token is no administrator's.
    pub async fn revoke_delegation(&self, route: Uuid, holder: &str) -> Result<(), EdgeError> {
        self.delete(&format!("/v1/routes/{route}/delegations/{holder}"))
            .await
    }

    /// What the client's token was delegated; it must be a holder's, as for all that follows.
    ///
    /// # Errors
    ///
    /// [`EdgeError::Token`] when it is not, or was revoked.
    pub async fn delegation(&self) -> Result<Delegation, EdgeError> {
        self.call(Method::GET, "/v1/delegation", None::<&()>).await
    }

    /// Adds a session route or replaces the one of that name, and waits until it is served. Its time begins anew.
    /// The same again changes nothing else; websockets stay open while the path is the same.
    ///
    /// # Errors
    ///
    /// [`EdgeError::Invalid`] and [`EdgeError::Forbidden`] say which field is not right;
    /// [`EdgeError::Conflict`]: somebody else has the path, or the limit is reached.
    ///
    /// ```no_run
    /// # async fn example(edge: mkys_edge_client::EdgeClient) -> Result<(), Box<dyn std::error::Error>> {
    /// use mkys_edge_client::SessionSpec;
    ///
    /// let spec = SessionSpec {
    ///     path: "/play/game-7".into(),
    ///     target: "10.88.0.5:8080".parse()?,
    ///     ttl_s: 60,
    /// };
    /// let session = edge.put_session("game-7", &spec).await?;
    /// println!("open at {}{}", session.host, session.path);
    /// for lost in edge.renew_sessions(["game-7"]).await?.unknown {
    ///     edge.put_session(&lost, &spec).await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn put_session(&self, name: &str, spec: &SessionSpec) -> Result<Session, EdgeError> {
        let path = format!("/v1/sessions/{name}");
        self.call(Method::PUT, &path, Some(spec)).await
    }

    /// Gives session routes their whole time again, in one call for any number. Unknown names are no error: they
    /// are in the answer.
    ///
    /// # Errors
    ///
    /// When the edge cannot be reached or does not accept the token.
    pub async fn renew_sessions<N: Into<String>>(
        &self,
        names: impl IntoIterator<Item = N>,
    ) -> Result<Renewed, EdgeError> {
        let names = names.into_iter().map(Into::into).collect();
        self.call(Method::POST, "/v1/sessions/renew", Some(&Renewal { names }))
            .await
    }

    /// Takes a session route away and closes its websockets; one that is not there is no error.
    ///
    /// # Errors
    ///
    /// When the edge cannot be reached or does not accept the token.
    pub async fn delete_session(&self, name: &str) -> Result<(), EdgeError> {
        self.delete(&format!("/v1/sessions/{name}")).await
    }

    /// A session route with its use.
    ///
    /// # Errors
    ///
    /// [`EdgeError::NotFound`] when there is none of that name, or not any more.
    pub async fn session(&self, name: &str) -> Result<SessionStatus, EdgeError> {
        let path = format!("/v1/sessions/{name}");
        self.call(Method::GET, &path, None::<&()>).await
    }

    /// All session routes of the holder with their use.
    ///
    /// # Errors
    ///
    /// When the edge cannot be reached or does not accept the token.
    pub async fn sessions(&self) -> Result<Vec<SessionStatus>, EdgeError> {
        self.call(Method::GET, "/v1/sessions", None::<&()>).await
    }
}
