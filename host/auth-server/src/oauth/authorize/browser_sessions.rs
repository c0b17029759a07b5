//! Whose sessions the browser of a request has.

use agamid_identity::{OrgScope, Session};
use agamid_web::{Cookie, Visit};
use axum::http::HeaderMap;

use crate::AuthServer;
use crate::error::OauthError;
use crate::transaction::Transaction;

impl AuthServer {
    /// The sessions that a person may choose from. The browser's cookie alone shows nobody's name and gives nobody's
    /// session: it outlives the sessions' own.
    pub(super) async fn accounts(
        &self,
        visit: &Visit,
        headers: &HeaderMap,
        browser: &str,
    ) -> Result<Vec<Session>, OauthError> {
        match self.cookie_session(visit, headers, browser).await? {
            Some(_) => Ok(self.identity().sessions.of_browser(browser).await?),
            None => Ok(Vec::new()),
        }
    }

    /// The session that the answer would speak of: the one made or chosen just now, else the browser's, which must be the
    /// one of this transaction if it has one: whoever sits down at the browser later can't finish for somebody else.
    pub(super) async fn session_for(
        &self,
        visit: &Visit,
        headers: &HeaderMap,
        transaction: &Transaction,
        browser: &str,
        now: Option<Session>,
    ) -> Result<Option<Session>, OauthError> {
        let session = match (now, &transaction.session) {
            (Some(session), _) => Some(session),
            (None, Some(id)) => {
                self.cookie_session(visit, headers, browser).await?.filter(|session| session.id == *id)
            }
            (None, None) => self.cookie_session(visit, headers, browser).await?,
        };
        let Some(session) = session.filter(|session| session.browser == browser) else { return Ok(None) };
        let scope = OrgScope::One(session.organisation.clone());
        let person = self.identity().persons.get(&scope, &session.person).await?;
        Ok(person.filter(|person| person.may_log_in(self.env().now())).map(|_| session))
    }

    /// The session of the browser's session cookie.
    pub(super) async fn cookie_session(
        &self,
        visit: &Visit,
        headers: &HeaderMap,
        browser: &str,
    ) -> Result<Option<Session>, OauthError> {
        let Some(cookie) = self.web().read_cookie(headers, Cookie::Session) else { return Ok(None) };
        let session = self.identity().sessions.by_cookie(&cookie, Some(visit.address)).await?;
        Ok(session.filter(|session| session.browser == browser))
    }
}
