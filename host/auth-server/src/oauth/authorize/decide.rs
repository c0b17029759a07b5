//! What an authorization transaction needs next: one pure function.

use std::time::Duration;

use agamid_core::time::Timestamp;
use agamid_identity::Session;

use crate::oauth::authorize::request::{AuthorizationRequest, Prompt};

/// What is known when the decision is made.
pub(crate) struct Facts<'a> {
    pub(crate) request: &'a AuthorizationRequest,
    /// The session the answer would speak of.
    pub(crate) session: Option<&'a Session>,
    /// How many people are logged in in this browser.
    pub(crate) accounts: usize,
    /// Whether the session is somebody else's than the request names.
    pub(crate) wrong_person: bool,
    /// Whether the session's ACR is one that the request (or its client) asks for, or none is asked for.
    pub(crate) acr_fits: bool,
    /// Whether the person allowed what is asked, or need not be asked.
    pub(crate) consent_given: bool,
    pub(crate) logged_in: bool,
    pub(crate) selected: bool,
    pub(crate) other_account: bool,
    pub(crate) consented: bool,
    pub(crate) now: Timestamp,
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    Login,
    SelectAccount,
    Consent,
    /// Nothing: the code can be issued.
    Nothing,
}

/// Decides. With `prompt=none` every need but `Nothing` is an error, which the caller names.
pub(crate) fn decide(facts: &Facts<'_>) -> Need {
    if facts.request.asks(Prompt::SelectAccount) && !facts.selected && !facts.logged_in && facts.accounts > 0
    {
        return Need::SelectAccount;
    }
    let Some(session) = facts.session else { return Need::Login };
    if !facts.logged_in && needs_login(facts, session) {
        return Need::Login;
    }
    let asked_again = facts.request.asks(Prompt::Consent) && !facts.consented;
    if !facts.consent_given || asked_again {
        return Need::Consent;
    }
    Need::Nothing
}

fn needs_login(facts: &Facts<'_>, session: &Session) -> bool {
    let age = facts.now.since(session.authenticated_at);
    let too_old = facts.request.max_age.is_some_and(|most| age >= Duration::from_secs(most));
    facts.request.asks(Prompt::Login)
        || facts.other_account
        || facts.wrong_person
        || too_old
        || !facts.acr_fits
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims_parameter::RequestedClaims;
    use crate::oauth::authorize::request::ResponseMode;
    use agamid_core::Env;
    use agamid_core::id::{OrgId, PersonId, SessionId};
    use agamid_identity::session::Device;

    fn session() -> Session {
        let env = Env::system();
        Session {
            hash: String::new(),
            id: SessionId::generate(&env),
            person: PersonId::generate(&env),
            organisation: OrgId::generate(&env),
            browser: String::new(),
            authenticated_at: Timestamp(0),
            amr: Vec::new(),
            acr: "agama_a".to_owned(),
            created_at: Timestamp(0),
            last_seen_at: Timestamp(0),
            expires_at: Timestamp(i64::MAX),
            device: Device::default(),
        }
    }

    fn request(prompt: &[Prompt], max_age: Option<u64>) -> AuthorizationRequest {
        AuthorizationRequest {
            client_id: String::new(),
            redirect_uri: String::new(),
            response_mode: ResponseMode::Query,
            state: None,
            nonce: None,
            scopes: Vec::new(),
            code_challenge: None,
            prompt: prompt.to_vec(),
            max_age,
            login_hint: None,
            acr_values: Vec::new(),
            ui_locales: Vec::new(),
            claims: RequestedClaims::default(),
            wanted_subject: None,
            original: String::new(),
        }
    }

    #[test]
    fn prompt_and_max_age_and_acr_decide_as_the_specification_says() {
        let session = session();
        let now = Timestamp(100_000);
        let need = |prompt: &[Prompt], max_age, change: &dyn Fn(&mut Facts<'_>)| {
            let request = request(prompt, max_age);
            let mut facts = Facts {
                request: &request,
                session: Some(&session),
                accounts: 1,
                wrong_person: false,
                acr_fits: true,
                consent_given: true,
                logged_in: false,
                selected: false,
                other_account: false,
                consented: false,
                now,
            };
            change(&mut facts);
            decide(&facts)
        };
        assert_eq!(need(&[], None, &|_| ()), Need::Nothing);
        assert_eq!(need(&[], None, &|f| f.session = None), Need::Login);
        assert_eq!(need(&[Prompt::Login], None, &|_| ()), Need::Login);
        assert_eq!(need(&[Prompt::Login], None, &|f| f.logged_in = true), Need::Nothing);
        assert_eq!(need(&[], Some(99), &|_| ()), Need::Login);
        assert_eq!(need(&[], Some(100), &|_| ()), Need::Login);
        assert_eq!(need(&[], Some(101), &|_| ()), Need::Nothing);
        assert_eq!(need(&[], Some(0), &|f| f.logged_in = true), Need::Nothing);
        assert_eq!(need(&[], None, &|f| f.acr_fits = false), Need::Login);
        assert_eq!(need(&[], None, &|f| f.wrong_person = true), Need::Login);
        assert_eq!(need(&[], None, &|f| f.consent_given = false), Need::Consent);
        assert_eq!(need(&[Prompt::Consent], None, &|_| ()), Need::Consent);
        assert_eq!(need(&[Prompt::Consent], None, &|f| f.consented = true), Need::Nothing);
        assert_eq!(need(&[Prompt::SelectAccount], None, &|_| ()), Need::SelectAccount);
        assert_eq!(
            need(&[Prompt::SelectAccount], None, &|f| (f.session, f.accounts) = (None, 0)),
            Need::Login
        );
        assert_eq!(need(&[Prompt::SelectAccount], None, &|f| f.selected = true), Need::Nothing);
        assert_eq!(
            need(&[Prompt::SelectAccount], None, &|f| (f.selected, f.other_account) = (true, true)),
            Need::Login
        );
    }
}
